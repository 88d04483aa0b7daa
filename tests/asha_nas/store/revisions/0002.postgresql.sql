SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.claims (
    study integer NOT NULL,
    cluster character varying(200) NOT NULL,
    priority integer NOT NULL,
    cpus double precision NOT NULL,
    gpus double precision NOT NULL,
    wanted integer NOT NULL,
    most integer NOT NULL,
    workers integer NOT NULL,
    served double precision NOT NULL,
    renewed double precision NOT NULL
);
CREATE TABLE public.events (
    study integer NOT NULL,
    sequence integer NOT NULL,
    key character varying(80) NOT NULL,
    kind character varying(20) NOT NULL,
    payload text NOT NULL,
    clock text NOT NULL,
    "time" double precision NOT NULL
);
CREATE TABLE public.leases (
    study integer NOT NULL,
    token character varying(40) NOT NULL,
    host character varying(200) NOT NULL,
    pid integer NOT NULL,
    born character varying(40) NOT NULL,
    renewed double precision NOT NULL,
    stop boolean DEFAULT false NOT NULL
);
CREATE TABLE public.studies (
    id integer NOT NULL,
    name character varying(200) NOT NULL,
    spec text NOT NULL,
    provenance text NOT NULL,
    created double precision NOT NULL
);
CREATE SEQUENCE public.studies_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.studies_id_seq OWNED BY public.studies.id;
ALTER TABLE ONLY public.studies ALTER COLUMN id SET DEFAULT nextval('public.studies_id_seq'::regclass);
INSERT INTO public.alembic_version VALUES ('0002');
INSERT INTO public.claims VALUES (2, 'session_2023-11-14_22-13-20_250000_17', 2, 1, 0.5, 4, 8, 3, 12.5, 1700000000.25);
INSERT INTO public.events VALUES (1, 1, 'asked/0', 'asked', '{"config":{"cell":"011000001111000110000001000000000000:input,conv3x3-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,output"},"identity":"3aff97b85dfb85c6e1a3395bd9bbc7d4","job":0,"origin":"random","rung":0,"start":0,"stop":1,"trial":0}', '{}', 1795637351.0029693);
INSERT INTO public.events VALUES (1, 2, 'reported/0/1', 'reported', '{"epoch":1,"job":0,"metrics":{"regret":0.11699164345403901,"test_error":0.1392757660167131,"valid_error":0.627260083449235},"notes":{"hash":"3aff97b85dfb85c6e1a3395bd9bbc7d4"}}', '{"seconds":0.4546}', 1795637351.0047019);
INSERT INTO public.events VALUES (1, 3, 'told/0', 'told', '{"job":0,"loss":0.627260083449235}', '{}', 1795637351.006031);
INSERT INTO public.events VALUES (1, 4, 'asked/1', 'asked', '{"config":{"cell":"011100001000000110000011000001000000:input,conv1x1-bn-relu,conv3x3-bn-relu,maxpool3x3,conv3x3-bn-relu,output"},"identity":"60445f4732635675a215ed88bda34f48","job":1,"origin":"random","rung":0,"start":0,"stop":1,"trial":1}', '{}', 1795637351.007729);
INSERT INTO public.events VALUES (1, 5, 'reported/1/1', 'reported', '{"epoch":1,"job":1,"metrics":{"regret":0.2107706592386258,"test_error":0.2330547818012999,"valid_error":0.7287899860917941},"notes":{"hash":"60445f4732635675a215ed88bda34f48"}}', '{"seconds":0.5943}', 1795637351.0092134);
INSERT INTO public.events VALUES (1, 6, 'told/1', 'told', '{"job":1,"loss":0.7287899860917941}', '{}', 1795637351.010695);
INSERT INTO public.events VALUES (1, 7, 'asked/2', 'asked', '{"job":2,"rung":1,"start":0,"stop":2,"trial":0}', '{}', 1795637351.0119243);
INSERT INTO public.events VALUES (1, 8, 'reported/2/2', 'reported', '{"epoch":2,"job":2,"metrics":{"regret":0.11699164345403901,"test_error":0.1392757660167131,"valid_error":0.35002318034306906},"notes":{"hash":"3aff97b85dfb85c6e1a3395bd9bbc7d4"}}', '{"seconds":0.9093}', 1795637351.0131853);
INSERT INTO public.events VALUES (1, 9, 'told/2', 'told', '{"job":2,"loss":0.35002318034306906}', '{}', 1795637351.014268);
INSERT INTO public.events VALUES (1, 10, 'asked/3', 'asked', '{"config":{"cell":"011011001110000100000001000000000000:input,conv1x1-bn-relu,conv3x3-bn-relu,conv1x1-bn-relu,maxpool3x3,output"},"identity":"89bcdafec298c7806623a6a6f3965a2f","job":3,"origin":"random","rung":0,"start":0,"stop":1,"trial":2}', '{}', 1795637351.0157406);
INSERT INTO public.events VALUES (1, 11, 'reported/3/1', 'reported', '{"epoch":1,"job":3,"metrics":{"regret":0.10027855153203347,"test_error":0.12256267409470752,"valid_error":0.650904033379694},"notes":{"hash":"89bcdafec298c7806623a6a6f3965a2f"}}', '{"seconds":0.4335}', 1795637351.0171325);
INSERT INTO public.events VALUES (1, 12, 'told/3', 'told', '{"job":3,"loss":0.650904033379694}', '{}', 1795637351.018187);
INSERT INTO public.events VALUES (1, 13, 'asked/4', 'asked', '{"config":{"cell":"011100001000000110000011000001000000:input,maxpool3x3,maxpool3x3,conv3x3-bn-relu,conv1x1-bn-relu,output"},"identity":"f85368cbd138c91ac9af220ce4a6cc17","job":4,"origin":"random","rung":0,"start":0,"stop":1,"trial":3}', '{}', 1795637351.019586);
INSERT INTO public.events VALUES (1, 14, 'reported/4/1', 'reported', '{"epoch":1,"job":4,"metrics":{"regret":0.20705663881151348,"test_error":0.22934076137418755,"valid_error":0.7269355586462679},"notes":{"hash":"f85368cbd138c91ac9af220ce4a6cc17"}}', '{"seconds":0.5242}', 1795637351.0221267);
INSERT INTO public.events VALUES (1, 15, 'told/4', 'told', '{"job":4,"loss":0.7269355586462679}', '{}', 1795637351.023251);
INSERT INTO public.events VALUES (1, 16, 'asked/5', 'asked', '{"job":5,"rung":1,"start":0,"stop":2,"trial":2}', '{}', 1795637351.0243986);
INSERT INTO public.events VALUES (1, 17, 'reported/5/2', 'reported', '{"epoch":2,"job":5,"metrics":{"regret":0.10027855153203347,"test_error":0.12256267409470752,"valid_error":0.29160871580899395},"notes":{"hash":"89bcdafec298c7806623a6a6f3965a2f"}}', '{"seconds":0.8669}', 1795637351.0255704);
INSERT INTO public.events VALUES (1, 18, 'told/5', 'told', '{"job":5,"loss":0.29160871580899395}', '{}', 1795637351.0266502);
INSERT INTO public.events VALUES (1, 19, 'asked/6', 'asked', '{"job":6,"rung":2,"start":0,"stop":4,"trial":2}', '{}', 1795637351.027729);
INSERT INTO public.events VALUES (1, 20, 'reported/6/4', 'reported', '{"epoch":4,"job":6,"metrics":{"regret":0.10027855153203347,"test_error":0.12256267409470752,"valid_error":0.13630041724617525},"notes":{"hash":"89bcdafec298c7806623a6a6f3965a2f"}}', '{"seconds":1.7339}', 1795637351.0288923);
INSERT INTO public.events VALUES (1, 21, 'told/6', 'told', '{"job":6,"loss":0.13630041724617525}', '{}', 1795637351.0299506);
INSERT INTO public.events VALUES (1, 22, 'asked/7', 'asked', '{"config":{"cell":"011100001001000111000010000000000000:input,conv3x3-bn-relu,maxpool3x3,conv1x1-bn-relu,conv1x1-bn-relu,output"},"identity":"5498ba534c256c9d086596e2b51cf170","job":7,"origin":"random","rung":0,"start":0,"stop":1,"trial":4}', '{}', 1795637351.0313919);
INSERT INTO public.events VALUES (1, 23, 'reported/7/1', 'reported', '{"epoch":1,"job":7,"metrics":{"regret":0.22655524605385335,"test_error":0.2488393686165274,"valid_error":0.7074640704682429},"notes":{"hash":"5498ba534c256c9d086596e2b51cf170"}}', '{"seconds":0.4626}', 1795637351.0326045);
INSERT INTO public.events VALUES (1, 24, 'told/7', 'told', '{"job":7,"loss":0.7074640704682429}', '{}', 1795637351.0336442);
INSERT INTO public.events VALUES (1, 25, 'asked/8', 'asked', '{"config":{"cell":"011010001100000101000010000001000000:input,conv1x1-bn-relu,conv1x1-bn-relu,conv1x1-bn-relu,conv3x3-bn-relu,output"},"identity":"646ec6ba76db846f9e33903c285cb332","job":8,"origin":"random","rung":0,"start":0,"stop":1,"trial":5}', '{}', 1795637351.0350628);
INSERT INTO public.events VALUES (1, 26, 'reported/8/1', 'reported', '{"epoch":1,"job":8,"metrics":{"regret":0.20519962859795726,"test_error":0.22748375116063138,"valid_error":0.7686601761706073},"notes":{"hash":"646ec6ba76db846f9e33903c285cb332"}}', '{"seconds":0.5143}', 1795637351.036244);
INSERT INTO public.events VALUES (1, 27, 'told/8', 'told', '{"job":8,"loss":0.7686601761706073}', '{}', 1795637351.0373158);
INSERT INTO public.events VALUES (1, 28, 'asked/9', 'asked', '{"job":9,"rung":1,"start":0,"stop":2,"trial":4}', '{}', 1795637351.03836);
INSERT INTO public.events VALUES (1, 29, 'reported/9/2', 'reported', '{"epoch":2,"job":9,"metrics":{"regret":0.22655524605385335,"test_error":0.2488393686165274,"valid_error":0.3796940194714882},"notes":{"hash":"5498ba534c256c9d086596e2b51cf170"}}', '{"seconds":0.9252}', 1795637351.0394714);
INSERT INTO public.events VALUES (1, 30, 'told/9', 'told', '{"job":9,"loss":0.3796940194714882}', '{}', 1795637351.040526);
INSERT INTO public.events VALUES (1, 31, 'asked/10', 'asked', '{"config":{"cell":"011110001001000100000011000000000000:input,conv3x3-bn-relu,maxpool3x3,maxpool3x3,maxpool3x3,output"},"identity":"301d1123d9204dd397002e4ab0a27b37","job":10,"origin":"random","rung":0,"start":0,"stop":1,"trial":6}', '{}', 1795637351.0419118);
INSERT INTO public.events VALUES (1, 32, 'reported/10/1', 'reported', '{"epoch":1,"job":10,"metrics":{"regret":0.3119777158774373,"test_error":0.3342618384401114,"valid_error":0.7181270282800185},"notes":{"hash":"301d1123d9204dd397002e4ab0a27b37"}}', '{"seconds":0.4127}', 1795637351.043059);
INSERT INTO public.events VALUES (1, 33, 'told/10', 'told', '{"job":10,"loss":0.7181270282800185}', '{}', 1795637351.0441124);
INSERT INTO public.events VALUES (1, 34, 'asked/11', 'asked', '{"config":{"cell":"011011001110000100000001000000000000:input,maxpool3x3,conv1x1-bn-relu,maxpool3x3,conv1x1-bn-relu,output"},"identity":"0df5609b2fdca8050afd62f3be2e44dc","job":11,"origin":"random","rung":0,"start":0,"stop":1,"trial":7}', '{}', 1795637351.0454652);
INSERT INTO public.events VALUES (1, 35, 'reported/11/1', 'reported', '{"epoch":1,"job":11,"metrics":{"regret":0.3166202414113277,"test_error":0.33890436397400187,"valid_error":0.8062123319425127},"notes":{"hash":"0df5609b2fdca8050afd62f3be2e44dc"}}', '{"seconds":0.3021}', 1795637351.0466294);
INSERT INTO public.events VALUES (1, 36, 'told/11', 'told', '{"job":11,"loss":0.8062123319425127}', '{}', 1795637351.0476518);
INSERT INTO public.events VALUES (1, 37, 'asked/12', 'asked', '{"job":12,"rung":1,"start":0,"stop":2,"trial":6}', '{}', 1795637351.0487363);
INSERT INTO public.events VALUES (1, 38, 'reported/12/2', 'reported', '{"epoch":2,"job":12,"metrics":{"regret":0.3119777158774373,"test_error":0.3342618384401114,"valid_error":0.48400556328233657},"notes":{"hash":"301d1123d9204dd397002e4ab0a27b37"}}', '{"seconds":0.8253}', 1795637351.0498264);
INSERT INTO public.events VALUES (1, 39, 'told/12', 'told', '{"job":12,"loss":0.48400556328233657}', '{}', 1795637351.0508387);
INSERT INTO public.events VALUES (1, 40, 'asked/13', 'asked', '{"job":13,"rung":2,"start":0,"stop":4,"trial":0}', '{}', 1795637351.0520952);
INSERT INTO public.events VALUES (1, 41, 'reported/13/4', 'reported', '{"epoch":4,"job":13,"metrics":{"regret":0.11699164345403901,"test_error":0.1392757660167131,"valid_error":0.16133518776077885},"notes":{"hash":"3aff97b85dfb85c6e1a3395bd9bbc7d4"}}', '{"seconds":1.8186}', 1795637351.0532064);
INSERT INTO public.events VALUES (1, 42, 'told/13', 'told', '{"job":13,"loss":0.16133518776077885}', '{}', 1795637351.0542157);
INSERT INTO public.events VALUES (1, 43, 'closed/0', 'closed', '{"reason":"done","session":0}', '{}', 1795637351.0552754);
INSERT INTO public.events VALUES (2, 1, 'asked/0', 'asked', '{"config":{"cell":"011000001111000110000001000000000000:input,conv3x3-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,output"},"identity":"3aff97b85dfb85c6e1a3395bd9bbc7d4","job":0,"origin":"random","rung":0,"start":0,"stop":1,"trial":0}', '{}', 1795637354.6631851);
INSERT INTO public.events VALUES (2, 2, 'reported/0/1', 'reported', '{"epoch":1,"job":0,"metrics":{"regret":0.11699164345403901,"test_error":0.1392757660167131,"valid_error":0.627260083449235},"notes":{"hash":"3aff97b85dfb85c6e1a3395bd9bbc7d4"}}', '{"seconds":0.4546}', 1795637354.6649437);
INSERT INTO public.events VALUES (2, 3, 'told/0', 'told', '{"job":0,"loss":0.627260083449235}', '{}', 1795637354.6662354);
INSERT INTO public.events VALUES (2, 4, 'asked/1', 'asked', '{"config":{"cell":"011100001000000110000011000001000000:input,conv1x1-bn-relu,conv3x3-bn-relu,maxpool3x3,conv3x3-bn-relu,output"},"identity":"60445f4732635675a215ed88bda34f48","job":1,"origin":"random","rung":0,"start":0,"stop":1,"trial":1}', '{}', 1795637354.6679103);
INSERT INTO public.events VALUES (2, 5, 'reported/1/1', 'reported', '{"epoch":1,"job":1,"metrics":{"regret":0.2107706592386258,"test_error":0.2330547818012999,"valid_error":0.7287899860917941},"notes":{"hash":"60445f4732635675a215ed88bda34f48"}}', '{"seconds":0.5943}', 1795637354.669232);
INSERT INTO public.events VALUES (2, 6, 'told/1', 'told', '{"job":1,"loss":0.7287899860917941}', '{}', 1795637354.6705852);
INSERT INTO public.events VALUES (2, 7, 'asked/2', 'asked', '{"job":2,"rung":1,"start":0,"stop":2,"trial":0}', '{}', 1795637354.6716735);
INSERT INTO public.events VALUES (2, 8, 'reported/2/2', 'reported', '{"epoch":2,"job":2,"metrics":{"regret":0.11699164345403901,"test_error":0.1392757660167131,"valid_error":0.35002318034306906},"notes":{"hash":"3aff97b85dfb85c6e1a3395bd9bbc7d4"}}', '{"seconds":0.9093}', 1795637354.6728091);
INSERT INTO public.events VALUES (2, 9, 'told/2', 'told', '{"job":2,"loss":0.35002318034306906}', '{}', 1795637354.6738532);
INSERT INTO public.events VALUES (2, 10, 'asked/3', 'asked', '{"config":{"cell":"011011001110000100000001000000000000:input,conv1x1-bn-relu,conv3x3-bn-relu,conv1x1-bn-relu,maxpool3x3,output"},"identity":"89bcdafec298c7806623a6a6f3965a2f","job":3,"origin":"random","rung":0,"start":0,"stop":1,"trial":2}', '{}', 1795637354.6751719);
INSERT INTO public.events VALUES (2, 11, 'reported/3/1', 'reported', '{"epoch":1,"job":3,"metrics":{"regret":0.10027855153203347,"test_error":0.12256267409470752,"valid_error":0.650904033379694},"notes":{"hash":"89bcdafec298c7806623a6a6f3965a2f"}}', '{"seconds":0.4335}', 1795637354.6762242);
INSERT INTO public.events VALUES (2, 12, 'told/3', 'told', '{"job":3,"loss":0.650904033379694}', '{}', 1795637354.6771047);
INSERT INTO public.events VALUES (2, 13, 'asked/4', 'asked', '{"config":{"cell":"011100001000000110000011000001000000:input,maxpool3x3,maxpool3x3,conv3x3-bn-relu,conv1x1-bn-relu,output"},"identity":"f85368cbd138c91ac9af220ce4a6cc17","job":4,"origin":"random","rung":0,"start":0,"stop":1,"trial":3}', '{}', 1795637354.678338);
INSERT INTO public.events VALUES (2, 14, 'reported/4/1', 'reported', '{"epoch":1,"job":4,"metrics":{"regret":0.20705663881151348,"test_error":0.22934076137418755,"valid_error":0.7269355586462679},"notes":{"hash":"f85368cbd138c91ac9af220ce4a6cc17"}}', '{"seconds":0.5242}', 1795637354.680653);
INSERT INTO public.events VALUES (2, 15, 'told/4', 'told', '{"job":4,"loss":0.7269355586462679}', '{}', 1795637354.6816473);
INSERT INTO public.events VALUES (2, 16, 'asked/5', 'asked', '{"job":5,"rung":1,"start":0,"stop":2,"trial":2}', '{}', 1795637354.6826208);
INSERT INTO public.events VALUES (2, 17, 'reported/5/2', 'reported', '{"epoch":2,"job":5,"metrics":{"regret":0.10027855153203347,"test_error":0.12256267409470752,"valid_error":0.29160871580899395},"notes":{"hash":"89bcdafec298c7806623a6a6f3965a2f"}}', '{"seconds":0.8669}', 1795637354.6835833);
INSERT INTO public.events VALUES (2, 18, 'told/5', 'told', '{"job":5,"loss":0.29160871580899395}', '{}', 1795637354.6844175);
INSERT INTO public.events VALUES (2, 19, 'asked/6', 'asked', '{"job":6,"rung":2,"start":0,"stop":4,"trial":2}', '{}', 1795637354.6852608);
INSERT INTO public.events VALUES (2, 20, 'reported/6/4', 'reported', '{"epoch":4,"job":6,"metrics":{"regret":0.10027855153203347,"test_error":0.12256267409470752,"valid_error":0.13630041724617525},"notes":{"hash":"89bcdafec298c7806623a6a6f3965a2f"}}', '{"seconds":1.7339}', 1795637354.6861763);
INSERT INTO public.events VALUES (2, 21, 'told/6', 'told', '{"job":6,"loss":0.13630041724617525}', '{}', 1795637354.6870284);
INSERT INTO public.events VALUES (2, 22, 'asked/7', 'asked', '{"config":{"cell":"011100001001000111000010000000000000:input,conv3x3-bn-relu,maxpool3x3,conv1x1-bn-relu,conv1x1-bn-relu,output"},"identity":"5498ba534c256c9d086596e2b51cf170","job":7,"origin":"random","rung":0,"start":0,"stop":1,"trial":4}', '{}', 1795637354.688171);
INSERT INTO public.events VALUES (2, 23, 'reported/7/1', 'reported', '{"epoch":1,"job":7,"metrics":{"regret":0.22655524605385335,"test_error":0.2488393686165274,"valid_error":0.7074640704682429},"notes":{"hash":"5498ba534c256c9d086596e2b51cf170"}}', '{"seconds":0.4626}', 1795637354.6899996);
INSERT INTO public.events VALUES (2, 24, 'told/7', 'told', '{"job":7,"loss":0.7074640704682429}', '{}', 1795637354.6909351);
INSERT INTO public.events VALUES (1, 0, 'opened/0', 'opened', '{"session":0}', '{"ConfigSpace":"1.2.2","SQLAlchemy":"2.1.9","asha-nas":"0.1.0","host":"node-1","numpy":"2.4.6","pid":4944,"python":"3.11.7","ray":"2.60.0","scikit-learn":"1.9.1","source":"3904c9da7dc3495c","torch":"2.13.0+cpu"}', 1795637350.9979913);
INSERT INTO public.events VALUES (2, 0, 'opened/0', 'opened', '{"session":0}', '{"ConfigSpace":"1.2.2","SQLAlchemy":"2.1.9","asha-nas":"0.1.0","host":"node-1","numpy":"2.4.6","pid":4950,"python":"3.11.7","ray":"2.60.0","scikit-learn":"1.9.1","source":"3904c9da7dc3495c","torch":"2.13.0+cpu"}', 1795637354.658535);
INSERT INTO public.leases VALUES (2, 'c31929374f6644e5809710426b2e01ea', 'node-1', 4950, '00000000-0000:4026531836:543390', 1700000000.25, false);
INSERT INTO public.studies VALUES (1, 'done', '{"version":1,"name":"done","seed":0,"problem":{"kind":"table","table":"s1-digits","space":"s1","repeat":"mean"},"scheduler":{"max_epochs":null,"max_hours":null,"configs":8,"r":1,"R":4,"eta":2,"rungs":"geometric","promotion":"capped","kind":"asha"},"engine":{"kind":"inline","workers":null,"cpus_per_trial":1.0,"gpus_per_trial":0.0,"address":null,"priority":1,"dashboard":true},"retries":{"crashed":1,"out_of_memory":1,"worker_lost":3},"checkpoints":null,"keep":"needed","quota":null}', '{"ConfigSpace":"1.2.2","SQLAlchemy":"2.1.9","asha-nas":"0.1.0","numpy":"2.4.6","python":"3.11.7","ray":"2.60.0","scikit-learn":"1.9.1","source":"3904c9da7dc3495c","torch":"2.13.0+cpu"}', 1795637347.8338947);
INSERT INTO public.studies VALUES (2, 'killed', '{"version":1,"name":"killed","seed":0,"problem":{"kind":"table","table":"s1-digits","space":"s1","repeat":"mean"},"scheduler":{"max_epochs":null,"max_hours":null,"configs":8,"r":1,"R":4,"eta":2,"rungs":"geometric","promotion":"capped","kind":"asha"},"engine":{"kind":"inline","workers":null,"cpus_per_trial":1.0,"gpus_per_trial":0.0,"address":null,"priority":1,"dashboard":true},"retries":{"crashed":1,"out_of_memory":1,"worker_lost":3},"checkpoints":null,"keep":"needed","quota":null}', '{"ConfigSpace":"1.2.2","SQLAlchemy":"2.1.9","asha-nas":"0.1.0","numpy":"2.4.6","python":"3.11.7","ray":"2.60.0","scikit-learn":"1.9.1","source":"3904c9da7dc3495c","torch":"2.13.0+cpu"}', 1795637347.8657413);
SELECT pg_catalog.setval('public.studies_id_seq', 2, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.claims
    ADD CONSTRAINT claims_pkey PRIMARY KEY (study);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_once UNIQUE (study, key);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (study, sequence);
ALTER TABLE ONLY public.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (study);
ALTER TABLE ONLY public.studies
    ADD CONSTRAINT studies_name_key UNIQUE (name);
ALTER TABLE ONLY public.studies
    ADD CONSTRAINT studies_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.claims
    ADD CONSTRAINT claims_study_fkey FOREIGN KEY (study) REFERENCES public.studies(id);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_study_fkey FOREIGN KEY (study) REFERENCES public.studies(id);
ALTER TABLE ONLY public.leases
    ADD CONSTRAINT leases_study_fkey FOREIGN KEY (study) REFERENCES public.studies(id);
