#!/bin/bash
# A study of asha-nas on a Ray cluster of its own, inside one SLURM job:
#
#     sbatch @{file}
#
# The study file, and the folder its checkpoints go to, must be on a disk that all nodes see. The store is the one that
# ASHA_NAS_STORE names where sbatch is called. Some minutes before its time is up, the study is interrupted in good
# order and the job puts itself into the queue again; however it ends, it goes on where it was when it starts again.
#SBATCH --job-name=@{name}
#SBATCH --nodes=@{nodes}
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=@{cpus}
#SBATCH --gpus-per-node=@{gpus}
#SBATCH --time=@{time}
#SBATCH --signal=B:TERM@@@{grace}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log
@{more}
set -euo pipefail
umask 077

study=@{study}
name=@{name}
shared=@{shared}
@{setup}

# Whoever has the token can run code on the cluster: it is in a file that only its owner reads, and in no command.
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$shared/.asha-nas-token-$SLURM_JOB_ID"
export RAY_USAGE_STATS_ENABLED=0
# How soon the head misses a node that has fallen silent.
export @{health}
# When the study is told to stop, running trials may take this long to save.
export ASHA_NAS_GRACE=@{patience}
head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' > "$RAY_AUTH_TOKEN_PATH"

leave() {
    kill $(jobs -p) 2> /dev/null || true
    rm -f "$RAY_AUTH_TOKEN_PATH"
}
trap leave EXIT

# The batch script runs on the first node, which is the head. Jobs that share a node must not share a port.
hosts=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
first=${hosts%%$'\n'*}
address=$(getent ahostsv4 "$first" | awk 'NR == 1 { print $1 }')
export RAY_ADDRESS="$address:$((20000 + SLURM_JOB_ID % 10000))"

srun --nodes=1 --ntasks=1 --nodelist="$first" \
    ray start --head --block --node-ip-address="$address" --port="${RAY_ADDRESS##*:}" \
    --num-cpus=@{cpus} --num-gpus=@{gpus} --include-dashboard=false &
for _ in $(seq 60); do
    ray status --address "$RAY_ADDRESS" > /dev/null 2>&1 && break
    sleep 2
done
if [ "$SLURM_JOB_NUM_NODES" -gt 1 ]; then
    srun --nodes="$((SLURM_JOB_NUM_NODES - 1))" --ntasks="$((SLURM_JOB_NUM_NODES - 1))" --exclude="$first" \
        ray start --block --address="$RAY_ADDRESS" --num-cpus=@{cpus} --num-gpus=@{gpus} &
fi

stopping=no driver=
stop() {
    stopping=yes
    [ -z "$driver" ] || kill -TERM "$driver" 2> /dev/null || true
}
trap stop TERM

asha-nas run "$study" --name "$name" --resume &
driver=$!
while true; do # a signal ends the wait, not the driver
    status=0
    wait "$driver" || status=$?
    kill -0 "$driver" 2> /dev/null || break
done

if [ "$stopping" = yes ] && [ "$status" -ne 0 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
