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
    renewed double precision NOT NULL
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
INSERT INTO public.alembic_version VALUES ('0001');
INSERT INTO public.events VALUES (1, 0, 'opened/0', 'opened', '{"session":0}', '{"ConfigSpace":"1.2.2","SQLAlchemy":"2.1.9","asha-nas":"0.1.0","host":"node-1","numpy":"2.4.6","pid":29925,"python":"3.11.7","ray":"2.60.0","scikit-learn":"1.9.1","source":"c4223916b401d017","torch":"2.13.0+cpu"}', 1795626717.3505323);
INSERT INTO public.events VALUES (1, 1, 'asked/0', 'asked', '{"config":{"cell":"011000001111000110000001000000000000:input,conv3x3-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,output"},"identity":"3aff97b85dfb85c6e1a3395bd9bbc7d4","job":0,"origin":"random","rung":0,"start":0,"stop":1,"trial":0}', '{}', 1795626717.3594117);
INSERT INTO public.events VALUES (1, 2, 'reported/0/1', 'reported', '{"epoch":1,"job":0,"metrics":{"regret":0.11699164345403901,"test_error":0.1392757660167131,"valid_error":0.627260083449235},"notes":{"hash":"3aff97b85dfb85c6e1a3395bd9bbc7d4"}}', '{"seconds":0.4546}', 1795626717.361779);
INSERT INTO public.events VALUES (1, 3, 'told/0', 'told', '{"job":0,"loss":0.627260083449235}', '{}', 1795626717.3650815);
INSERT INTO public.events VALUES (1, 4, 'asked/1', 'asked', '{"config":{"cell":"011100001000000110000011000001000000:input,conv1x1-bn-relu,conv3x3-bn-relu,maxpool3x3,conv3x3-bn-relu,output"},"identity":"60445f4732635675a215ed88bda34f48","job":1,"origin":"random","rung":0,"start":0,"stop":1,"trial":1}', '{}', 1795626717.3666632);
INSERT INTO public.events VALUES (1, 5, 'reported/1/1', 'reported', '{"epoch":1,"job":1,"metrics":{"regret":0.2107706592386258,"test_error":0.2330547818012999,"valid_error":0.7287899860917941},"notes":{"hash":"60445f4732635675a215ed88bda34f48"}}', '{"seconds":0.5943}', 1795626717.370019);
INSERT INTO public.events VALUES (1, 6, 'told/1', 'told', '{"job":1,"loss":0.7287899860917941}', '{}', 1795626717.3715634);
INSERT INTO public.events VALUES (1, 7, 'asked/2', 'asked', '{"job":2,"rung":1,"start":0,"stop":2,"trial":0}', '{}', 1795626717.3727317);
INSERT INTO public.events VALUES (1, 8, 'reported/2/2', 'reported', '{"epoch":2,"job":2,"metrics":{"regret":0.11699164345403901,"test_error":0.1392757660167131,"valid_error":0.35002318034306906},"notes":{"hash":"3aff97b85dfb85c6e1a3395bd9bbc7d4"}}', '{"seconds":0.9093}', 1795626717.3805408);
INSERT INTO public.events VALUES (1, 9, 'told/2', 'told', '{"job":2,"loss":0.35002318034306906}', '{}', 1795626717.3818805);
INSERT INTO public.events VALUES (1, 10, 'asked/3', 'asked', '{"config":{"cell":"011011001110000100000001000000000000:input,conv1x1-bn-relu,conv3x3-bn-relu,conv1x1-bn-relu,maxpool3x3,output"},"identity":"89bcdafec298c7806623a6a6f3965a2f","job":3,"origin":"random","rung":0,"start":0,"stop":1,"trial":2}', '{}', 1795626717.3834527);
INSERT INTO public.events VALUES (1, 11, 'reported/3/1', 'reported', '{"epoch":1,"job":3,"metrics":{"regret":0.10027855153203347,"test_error":0.12256267409470752,"valid_error":0.650904033379694},"notes":{"hash":"89bcdafec298c7806623a6a6f3965a2f"}}', '{"seconds":0.4335}', 1795626717.3877108);
INSERT INTO public.events VALUES (1, 12, 'told/3', 'told', '{"job":3,"loss":0.650904033379694}', '{}', 1795626717.388924);
INSERT INTO public.events VALUES (1, 13, 'asked/4', 'asked', '{"config":{"cell":"011100001000000110000011000001000000:input,maxpool3x3,maxpool3x3,conv3x3-bn-relu,conv1x1-bn-relu,output"},"identity":"f85368cbd138c91ac9af220ce4a6cc17","job":4,"origin":"random","rung":0,"start":0,"stop":1,"trial":3}', '{}', 1795626717.3904164);
INSERT INTO public.events VALUES (1, 14, 'reported/4/1', 'reported', '{"epoch":1,"job":4,"metrics":{"regret":0.20705663881151348,"test_error":0.22934076137418755,"valid_error":0.7269355586462679},"notes":{"hash":"f85368cbd138c91ac9af220ce4a6cc17"}}', '{"seconds":0.5242}', 1795626717.3928761);
INSERT INTO public.events VALUES (1, 15, 'told/4', 'told', '{"job":4,"loss":0.7269355586462679}', '{}', 1795626717.39722);
INSERT INTO public.events VALUES (1, 16, 'asked/5', 'asked', '{"job":5,"rung":1,"start":0,"stop":2,"trial":2}', '{}', 1795626717.398339);
INSERT INTO public.events VALUES (1, 17, 'reported/5/2', 'reported', '{"epoch":2,"job":5,"metrics":{"regret":0.10027855153203347,"test_error":0.12256267409470752,"valid_error":0.29160871580899395},"notes":{"hash":"89bcdafec298c7806623a6a6f3965a2f"}}', '{"seconds":0.8669}', 1795626717.399649);
INSERT INTO public.events VALUES (1, 18, 'told/5', 'told', '{"job":5,"loss":0.29160871580899395}', '{}', 1795626717.4042044);
INSERT INTO public.events VALUES (1, 19, 'asked/6', 'asked', '{"job":6,"rung":2,"start":0,"stop":4,"trial":2}', '{}', 1795626717.4051907);
INSERT INTO public.events VALUES (1, 20, 'reported/6/4', 'reported', '{"epoch":4,"job":6,"metrics":{"regret":0.10027855153203347,"test_error":0.12256267409470752,"valid_error":0.13630041724617525},"notes":{"hash":"89bcdafec298c7806623a6a6f3965a2f"}}', '{"seconds":1.7339}', 1795626717.4083629);
INSERT INTO public.events VALUES (1, 21, 'told/6', 'told', '{"job":6,"loss":0.13630041724617525}', '{}', 1795626717.4100614);
INSERT INTO public.events VALUES (1, 22, 'asked/7', 'asked', '{"config":{"cell":"011100001001000111000010000000000000:input,conv3x3-bn-relu,maxpool3x3,conv1x1-bn-relu,conv1x1-bn-relu,output"},"identity":"5498ba534c256c9d086596e2b51cf170","job":7,"origin":"random","rung":0,"start":0,"stop":1,"trial":4}', '{}', 1795626717.416391);
INSERT INTO public.events VALUES (1, 23, 'reported/7/1', 'reported', '{"epoch":1,"job":7,"metrics":{"regret":0.22655524605385335,"test_error":0.2488393686165274,"valid_error":0.7074640704682429},"notes":{"hash":"5498ba534c256c9d086596e2b51cf170"}}', '{"seconds":0.4626}', 1795626717.417802);
INSERT INTO public.events VALUES (1, 24, 'told/7', 'told', '{"job":7,"loss":0.7074640704682429}', '{}', 1795626717.4189374);
INSERT INTO public.events VALUES (1, 25, 'asked/8', 'asked', '{"config":{"cell":"011010001100000101000010000001000000:input,conv1x1-bn-relu,conv1x1-bn-relu,conv1x1-bn-relu,conv3x3-bn-relu,output"},"identity":"646ec6ba76db846f9e33903c285cb332","job":8,"origin":"random","rung":0,"start":0,"stop":1,"trial":5}', '{}', 1795626717.4228904);
INSERT INTO public.events VALUES (1, 26, 'reported/8/1', 'reported', '{"epoch":1,"job":8,"metrics":{"regret":0.20519962859795726,"test_error":0.22748375116063138,"valid_error":0.7686601761706073},"notes":{"hash":"646ec6ba76db846f9e33903c285cb332"}}', '{"seconds":0.5143}', 1795626717.4242475);
INSERT INTO public.events VALUES (1, 27, 'told/8', 'told', '{"job":8,"loss":0.7686601761706073}', '{}', 1795626717.4253073);
INSERT INTO public.events VALUES (1, 28, 'asked/9', 'asked', '{"job":9,"rung":1,"start":0,"stop":2,"trial":4}', '{}', 1795626717.4287288);
INSERT INTO public.events VALUES (1, 29, 'reported/9/2', 'reported', '{"epoch":2,"job":9,"metrics":{"regret":0.22655524605385335,"test_error":0.2488393686165274,"valid_error":0.3796940194714882},"notes":{"hash":"5498ba534c256c9d086596e2b51cf170"}}', '{"seconds":0.9252}', 1795626717.4330912);
INSERT INTO public.events VALUES (1, 30, 'told/9', 'told', '{"job":9,"loss":0.3796940194714882}', '{}', 1795626717.4342377);
INSERT INTO public.events VALUES (1, 31, 'asked/10', 'asked', '{"config":{"cell":"011110001001000100000011000000000000:input,conv3x3-bn-relu,maxpool3x3,maxpool3x3,maxpool3x3,output"},"identity":"301d1123d9204dd397002e4ab0a27b37","job":10,"origin":"random","rung":0,"start":0,"stop":1,"trial":6}', '{}', 1795626717.4368482);
INSERT INTO public.events VALUES (1, 32, 'reported/10/1', 'reported', '{"epoch":1,"job":10,"metrics":{"regret":0.3119777158774373,"test_error":0.3342618384401114,"valid_error":0.7181270282800185},"notes":{"hash":"301d1123d9204dd397002e4ab0a27b37"}}', '{"seconds":0.4127}', 1795626717.4395247);
INSERT INTO public.events VALUES (1, 33, 'told/10', 'told', '{"job":10,"loss":0.7181270282800185}', '{}', 1795626717.4452693);
INSERT INTO public.events VALUES (1, 34, 'asked/11', 'asked', '{"config":{"cell":"011011001110000100000001000000000000:input,maxpool3x3,conv1x1-bn-relu,maxpool3x3,conv1x1-bn-relu,output"},"identity":"0df5609b2fdca8050afd62f3be2e44dc","job":11,"origin":"random","rung":0,"start":0,"stop":1,"trial":7}', '{}', 1795626717.4516978);
INSERT INTO public.events VALUES (1, 35, 'reported/11/1', 'reported', '{"epoch":1,"job":11,"metrics":{"regret":0.3166202414113277,"test_error":0.33890436397400187,"valid_error":0.8062123319425127},"notes":{"hash":"0df5609b2fdca8050afd62f3be2e44dc"}}', '{"seconds":0.3021}', 1795626717.453635);
INSERT INTO public.events VALUES (1, 36, 'told/11', 'told', '{"job":11,"loss":0.8062123319425127}', '{}', 1795626717.458475);
INSERT INTO public.events VALUES (1, 37, 'asked/12', 'asked', '{"job":12,"rung":1,"start":0,"stop":2,"trial":6}', '{}', 1795626717.4682674);
INSERT INTO public.events VALUES (1, 38, 'reported/12/2', 'reported', '{"epoch":2,"job":12,"metrics":{"regret":0.3119777158774373,"test_error":0.3342618384401114,"valid_error":0.48400556328233657},"notes":{"hash":"301d1123d9204dd397002e4ab0a27b37"}}', '{"seconds":0.8253}', 1795626717.469913);
INSERT INTO public.events VALUES (1, 39, 'told/12', 'told', '{"job":12,"loss":0.48400556328233657}', '{}', 1795626717.471454);
INSERT INTO public.events VALUES (1, 40, 'asked/13', 'asked', '{"job":13,"rung":2,"start":0,"stop":4,"trial":0}', '{}', 1795626717.473535);
INSERT INTO public.events VALUES (1, 41, 'reported/13/4', 'reported', '{"epoch":4,"job":13,"metrics":{"regret":0.11699164345403901,"test_error":0.1392757660167131,"valid_error":0.16133518776077885},"notes":{"hash":"3aff97b85dfb85c6e1a3395bd9bbc7d4"}}', '{"seconds":1.8186}', 1795626717.4770663);
INSERT INTO public.events VALUES (1, 42, 'told/13', 'told', '{"job":13,"loss":0.16133518776077885}', '{}', 1795626717.4848497);
INSERT INTO public.events VALUES (1, 43, 'closed/0', 'closed', '{"reason":"done","session":0}', '{}', 1795626717.4926226);
INSERT INTO public.events VALUES (2, 0, 'opened/0', 'opened', '{"session":0}', '{"ConfigSpace":"1.2.2","SQLAlchemy":"2.1.9","asha-nas":"0.1.0","host":"node-1","numpy":"2.4.6","pid":29925,"python":"3.11.7","ray":"2.60.0","scikit-learn":"1.9.1","source":"c4223916b401d017","torch":"2.13.0+cpu"}', 1795626717.544176);
INSERT INTO public.events VALUES (2, 1, 'asked/0', 'asked', '{"config":{"cell":"011000001111000110000001000000000000:input,conv3x3-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,output"},"identity":"3aff97b85dfb85c6e1a3395bd9bbc7d4","job":0,"origin":"random","rung":0,"start":0,"stop":1,"trial":0}', '{}', 1795626717.5474083);
INSERT INTO public.events VALUES (2, 2, 'reported/0/1', 'reported', '{"epoch":1,"job":0,"metrics":{"regret":0.11699164345403901,"test_error":0.1392757660167131,"valid_error":0.627260083449235},"notes":{"hash":"3aff97b85dfb85c6e1a3395bd9bbc7d4"}}', '{"seconds":0.4546}', 1795626717.5563543);
INSERT INTO public.events VALUES (2, 3, 'told/0', 'told', '{"job":0,"loss":0.627260083449235}', '{}', 1795626717.5639338);
INSERT INTO public.events VALUES (2, 4, 'asked/1', 'asked', '{"config":{"cell":"011100001000000110000011000001000000:input,conv1x1-bn-relu,conv3x3-bn-relu,maxpool3x3,conv3x3-bn-relu,output"},"identity":"60445f4732635675a215ed88bda34f48","job":1,"origin":"random","rung":0,"start":0,"stop":1,"trial":1}', '{}', 1795626717.565959);
INSERT INTO public.events VALUES (2, 5, 'reported/1/1', 'reported', '{"epoch":1,"job":1,"metrics":{"regret":0.2107706592386258,"test_error":0.2330547818012999,"valid_error":0.7287899860917941},"notes":{"hash":"60445f4732635675a215ed88bda34f48"}}', '{"seconds":0.5943}', 1795626717.5715623);
INSERT INTO public.events VALUES (2, 6, 'told/1', 'told', '{"job":1,"loss":0.7287899860917941}', '{}', 1795626717.5765991);
INSERT INTO public.events VALUES (2, 7, 'asked/2', 'asked', '{"job":2,"rung":1,"start":0,"stop":2,"trial":0}', '{}', 1795626717.580192);
INSERT INTO public.events VALUES (2, 8, 'reported/2/2', 'reported', '{"epoch":2,"job":2,"metrics":{"regret":0.11699164345403901,"test_error":0.1392757660167131,"valid_error":0.35002318034306906},"notes":{"hash":"3aff97b85dfb85c6e1a3395bd9bbc7d4"}}', '{"seconds":0.9093}', 1795626717.5860138);
INSERT INTO public.events VALUES (2, 9, 'told/2', 'told', '{"job":2,"loss":0.35002318034306906}', '{}', 1795626717.5875032);
INSERT INTO public.events VALUES (2, 10, 'asked/3', 'asked', '{"config":{"cell":"011011001110000100000001000000000000:input,conv1x1-bn-relu,conv3x3-bn-relu,conv1x1-bn-relu,maxpool3x3,output"},"identity":"89bcdafec298c7806623a6a6f3965a2f","job":3,"origin":"random","rung":0,"start":0,"stop":1,"trial":2}', '{}', 1795626717.5940316);
INSERT INTO public.events VALUES (2, 11, 'reported/3/1', 'reported', '{"epoch":1,"job":3,"metrics":{"regret":0.10027855153203347,"test_error":0.12256267409470752,"valid_error":0.650904033379694},"notes":{"hash":"89bcdafec298c7806623a6a6f3965a2f"}}', '{"seconds":0.4335}', 1795626717.5967748);
INSERT INTO public.events VALUES (2, 12, 'told/3', 'told', '{"job":3,"loss":0.650904033379694}', '{}', 1795626717.6039045);
INSERT INTO public.events VALUES (2, 13, 'asked/4', 'asked', '{"config":{"cell":"011100001000000110000011000001000000:input,maxpool3x3,maxpool3x3,conv3x3-bn-relu,conv1x1-bn-relu,output"},"identity":"f85368cbd138c91ac9af220ce4a6cc17","job":4,"origin":"random","rung":0,"start":0,"stop":1,"trial":3}', '{}', 1795626717.608186);
INSERT INTO public.events VALUES (2, 14, 'reported/4/1', 'reported', '{"epoch":1,"job":4,"metrics":{"regret":0.20705663881151348,"test_error":0.22934076137418755,"valid_error":0.7269355586462679},"notes":{"hash":"f85368cbd138c91ac9af220ce4a6cc17"}}', '{"seconds":0.5242}', 1795626717.6119285);
INSERT INTO public.events VALUES (2, 15, 'told/4', 'told', '{"job":4,"loss":0.7269355586462679}', '{}', 1795626717.6170669);
INSERT INTO public.events VALUES (2, 16, 'asked/5', 'asked', '{"job":5,"rung":1,"start":0,"stop":2,"trial":2}', '{}', 1795626717.6183114);
INSERT INTO public.events VALUES (2, 17, 'reported/5/2', 'reported', '{"epoch":2,"job":5,"metrics":{"regret":0.10027855153203347,"test_error":0.12256267409470752,"valid_error":0.29160871580899395},"notes":{"hash":"89bcdafec298c7806623a6a6f3965a2f"}}', '{"seconds":0.8669}', 1795626717.6199105);
INSERT INTO public.events VALUES (2, 18, 'told/5', 'told', '{"job":5,"loss":0.29160871580899395}', '{}', 1795626717.6226287);
INSERT INTO public.events VALUES (2, 19, 'asked/6', 'asked', '{"job":6,"rung":2,"start":0,"stop":4,"trial":2}', '{}', 1795626717.6339893);
INSERT INTO public.events VALUES (2, 20, 'reported/6/4', 'reported', '{"epoch":4,"job":6,"metrics":{"regret":0.10027855153203347,"test_error":0.12256267409470752,"valid_error":0.13630041724617525},"notes":{"hash":"89bcdafec298c7806623a6a6f3965a2f"}}', '{"seconds":1.7339}', 1795626717.635693);
INSERT INTO public.events VALUES (2, 21, 'told/6', 'told', '{"job":6,"loss":0.13630041724617525}', '{}', 1795626717.636955);
INSERT INTO public.events VALUES (2, 22, 'asked/7', 'asked', '{"config":{"cell":"011100001001000111000010000000000000:input,conv3x3-bn-relu,maxpool3x3,conv1x1-bn-relu,conv1x1-bn-relu,output"},"identity":"5498ba534c256c9d086596e2b51cf170","job":7,"origin":"random","rung":0,"start":0,"stop":1,"trial":4}', '{}', 1795626717.6384742);
INSERT INTO public.events VALUES (2, 23, 'reported/7/1', 'reported', '{"epoch":1,"job":7,"metrics":{"regret":0.22655524605385335,"test_error":0.2488393686165274,"valid_error":0.7074640704682429},"notes":{"hash":"5498ba534c256c9d086596e2b51cf170"}}', '{"seconds":0.4626}', 1795626717.6399019);
INSERT INTO public.events VALUES (2, 24, 'told/7', 'told', '{"job":7,"loss":0.7074640704682429}', '{}', 1795626717.641043);
INSERT INTO public.leases VALUES (2, '40314a8a6fe94883951c67482e2e52b5', 'node-1', 29925, '00000000-0000:4026531836:543918', 1700000000.25);
INSERT INTO public.studies VALUES (1, 'done', '{"version":1,"name":"done","seed":0,"problem":{"kind":"table","table":"s1-digits","space":"s1","repeat":"mean"},"scheduler":{"max_epochs":null,"max_hours":null,"configs":8,"r":1,"R":4,"eta":2,"rungs":"geometric","promotion":"capped","kind":"asha"},"engine":{"kind":"inline","workers":null,"cpus_per_trial":1.0,"gpus_per_trial":0.0,"address":null,"dashboard":true},"retries":{"crashed":1,"out_of_memory":1,"worker_lost":3},"checkpoints":null}', '{"ConfigSpace":"1.2.2","SQLAlchemy":"2.1.9","asha-nas":"0.1.0","numpy":"2.4.6","python":"3.11.7","ray":"2.60.0","scikit-learn":"1.9.1","source":"c4223916b401d017","torch":"2.13.0+cpu"}', 1795626717.3312504);
INSERT INTO public.studies VALUES (2, 'killed', '{"version":1,"name":"killed","seed":0,"problem":{"kind":"table","table":"s1-digits","space":"s1","repeat":"mean"},"scheduler":{"max_epochs":null,"max_hours":null,"configs":8,"r":1,"R":4,"eta":2,"rungs":"geometric","promotion":"capped","kind":"asha"},"engine":{"kind":"inline","workers":null,"cpus_per_trial":1.0,"gpus_per_trial":0.0,"address":null,"dashboard":true},"retries":{"crashed":1,"out_of_memory":1,"worker_lost":3},"checkpoints":null}', '{"ConfigSpace":"1.2.2","SQLAlchemy":"2.1.9","asha-nas":"0.1.0","numpy":"2.4.6","python":"3.11.7","ray":"2.60.0","scikit-learn":"1.9.1","source":"c4223916b401d017","torch":"2.13.0+cpu"}', 1795626717.515473);
SELECT pg_catalog.setval('public.studies_id_seq', 2, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
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
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_study_fkey FOREIGN KEY (study) REFERENCES public.studies(id);
ALTER TABLE ONLY public.leases
    ADD CONSTRAINT leases_study_fkey FOREIGN KEY (study) REFERENCES public.studies(id);
