PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO alembic_version VALUES('0002');
CREATE TABLE studies (
	id INTEGER NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	spec TEXT NOT NULL, 
	provenance TEXT NOT NULL, 
	created FLOAT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
INSERT INTO studies VALUES(1,'done','{"version":1,"name":"done","seed":0,"problem":{"kind":"table","table":"s1-digits","space":"s1","repeat":"mean"},"scheduler":{"max_epochs":null,"max_hours":null,"configs":8,"r":1,"R":4,"eta":2,"rungs":"geometric","promotion":"capped","kind":"asha"},"engine":{"kind":"inline","workers":null,"cpus_per_trial":1.0,"gpus_per_trial":0.0,"address":null,"priority":1,"dashboard":true},"retries":{"crashed":1,"out_of_memory":1,"worker_lost":3},"checkpoints":null,"keep":"needed","quota":null}','{"ConfigSpace":"1.2.2","SQLAlchemy":"2.1.9","asha-nas":"0.1.0","numpy":"2.4.6","python":"3.11.7","ray":"2.60.0","scikit-learn":"1.9.1","source":"3904c9da7dc3495c","torch":"2.13.0+cpu"}',1795637339.8735640048);
INSERT INTO studies VALUES(2,'killed','{"version":1,"name":"killed","seed":0,"problem":{"kind":"table","table":"s1-digits","space":"s1","repeat":"mean"},"scheduler":{"max_epochs":null,"max_hours":null,"configs":8,"r":1,"R":4,"eta":2,"rungs":"geometric","promotion":"capped","kind":"asha"},"engine":{"kind":"inline","workers":null,"cpus_per_trial":1.0,"gpus_per_trial":0.0,"address":null,"priority":1,"dashboard":true},"retries":{"crashed":1,"out_of_memory":1,"worker_lost":3},"checkpoints":null,"keep":"needed","quota":null}','{"ConfigSpace":"1.2.2","SQLAlchemy":"2.1.9","asha-nas":"0.1.0","numpy":"2.4.6","python":"3.11.7","ray":"2.60.0","scikit-learn":"1.9.1","source":"3904c9da7dc3495c","torch":"2.13.0+cpu"}',1795637339.8859968185);
CREATE TABLE events (
	study INTEGER NOT NULL, 
	sequence INTEGER NOT NULL, 
	"key" VARCHAR(80) NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	payload TEXT NOT NULL, 
	clock TEXT NOT NULL, 
	time FLOAT NOT NULL, 
	PRIMARY KEY (study, sequence), 
	CONSTRAINT events_once UNIQUE (study, "key"), 
	FOREIGN KEY(study) REFERENCES studies (id)
);
INSERT INTO events VALUES(1,0,'opened/0','opened','{"session":0}','{"ConfigSpace":"1.2.2","SQLAlchemy":"2.1.9","asha-nas":"0.1.0","host":"node-1","numpy":"2.4.6","pid":4889,"python":"3.11.7","ray":"2.60.0","scikit-learn":"1.9.1","source":"3904c9da7dc3495c","torch":"2.13.0+cpu"}',1795637342.9249768257);
INSERT INTO events VALUES(1,1,'asked/0','asked','{"config":{"cell":"011000001111000110000001000000000000:input,conv3x3-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,output"},"identity":"3aff97b85dfb85c6e1a3395bd9bbc7d4","job":0,"origin":"random","rung":0,"start":0,"stop":1,"trial":0}','{}',1795637342.9291598796);
INSERT INTO events VALUES(1,2,'reported/0/1','reported','{"epoch":1,"job":0,"metrics":{"regret":0.11699164345403901,"test_error":0.1392757660167131,"valid_error":0.627260083449235},"notes":{"hash":"3aff97b85dfb85c6e1a3395bd9bbc7d4"}}','{"seconds":0.4546}',1795637342.9300515652);
INSERT INTO events VALUES(1,3,'told/0','told','{"job":0,"loss":0.627260083449235}','{}',1795637342.9306175708);
INSERT INTO events VALUES(1,4,'asked/1','asked','{"config":{"cell":"011100001000000110000011000001000000:input,conv1x1-bn-relu,conv3x3-bn-relu,maxpool3x3,conv3x3-bn-relu,output"},"identity":"60445f4732635675a215ed88bda34f48","job":1,"origin":"random","rung":0,"start":0,"stop":1,"trial":1}','{}',1795637342.9313933849);
INSERT INTO events VALUES(1,5,'reported/1/1','reported','{"epoch":1,"job":1,"metrics":{"regret":0.2107706592386258,"test_error":0.2330547818012999,"valid_error":0.7287899860917941},"notes":{"hash":"60445f4732635675a215ed88bda34f48"}}','{"seconds":0.5943}',1795637342.9319548607);
INSERT INTO events VALUES(1,6,'told/1','told','{"job":1,"loss":0.7287899860917941}','{}',1795637342.93232584);
INSERT INTO events VALUES(1,7,'asked/2','asked','{"job":2,"rung":1,"start":0,"stop":2,"trial":0}','{}',1795637342.9327065944);
INSERT INTO events VALUES(1,8,'reported/2/2','reported','{"epoch":2,"job":2,"metrics":{"regret":0.11699164345403901,"test_error":0.1392757660167131,"valid_error":0.35002318034306906},"notes":{"hash":"3aff97b85dfb85c6e1a3395bd9bbc7d4"}}','{"seconds":0.9093}',1795637342.9331088065);
INSERT INTO events VALUES(1,9,'told/2','told','{"job":2,"loss":0.35002318034306906}','{}',1795637342.9334332943);
INSERT INTO events VALUES(1,10,'asked/3','asked','{"config":{"cell":"011011001110000100000001000000000000:input,conv1x1-bn-relu,conv3x3-bn-relu,conv1x1-bn-relu,maxpool3x3,output"},"identity":"89bcdafec298c7806623a6a6f3965a2f","job":3,"origin":"random","rung":0,"start":0,"stop":1,"trial":2}','{}',1795637342.9340901374);
INSERT INTO events VALUES(1,11,'reported/3/1','reported','{"epoch":1,"job":3,"metrics":{"regret":0.10027855153203347,"test_error":0.12256267409470752,"valid_error":0.650904033379694},"notes":{"hash":"89bcdafec298c7806623a6a6f3965a2f"}}','{"seconds":0.4335}',1795637342.9346184729);
INSERT INTO events VALUES(1,12,'told/3','told','{"job":3,"loss":0.650904033379694}','{}',1795637342.9351053238);
INSERT INTO events VALUES(1,13,'asked/4','asked','{"config":{"cell":"011100001000000110000011000001000000:input,maxpool3x3,maxpool3x3,conv3x3-bn-relu,conv1x1-bn-relu,output"},"identity":"f85368cbd138c91ac9af220ce4a6cc17","job":4,"origin":"random","rung":0,"start":0,"stop":1,"trial":3}','{}',1795637342.9359514712);
INSERT INTO events VALUES(1,14,'reported/4/1','reported','{"epoch":1,"job":4,"metrics":{"regret":0.20705663881151348,"test_error":0.22934076137418755,"valid_error":0.7269355586462679},"notes":{"hash":"f85368cbd138c91ac9af220ce4a6cc17"}}','{"seconds":0.5242}',1795637342.9366688727);
INSERT INTO events VALUES(1,15,'told/4','told','{"job":4,"loss":0.7269355586462679}','{}',1795637342.9372370243);
INSERT INTO events VALUES(1,16,'asked/5','asked','{"job":5,"rung":1,"start":0,"stop":2,"trial":2}','{}',1795637342.9376137257);
INSERT INTO events VALUES(1,17,'reported/5/2','reported','{"epoch":2,"job":5,"metrics":{"regret":0.10027855153203347,"test_error":0.12256267409470752,"valid_error":0.29160871580899395},"notes":{"hash":"89bcdafec298c7806623a6a6f3965a2f"}}','{"seconds":0.8669}',1795637342.9380459785);
INSERT INTO events VALUES(1,18,'told/5','told','{"job":5,"loss":0.29160871580899395}','{}',1795637342.9383935928);
INSERT INTO events VALUES(1,19,'asked/6','asked','{"job":6,"rung":2,"start":0,"stop":4,"trial":2}','{}',1795637342.9387228489);
INSERT INTO events VALUES(1,20,'reported/6/4','reported','{"epoch":4,"job":6,"metrics":{"regret":0.10027855153203347,"test_error":0.12256267409470752,"valid_error":0.13630041724617525},"notes":{"hash":"89bcdafec298c7806623a6a6f3965a2f"}}','{"seconds":1.7339}',1795637342.9391076564);
INSERT INTO events VALUES(1,21,'told/6','told','{"job":6,"loss":0.13630041724617525}','{}',1795637342.9394376277);
INSERT INTO events VALUES(1,22,'asked/7','asked','{"config":{"cell":"011100001001000111000010000000000000:input,conv3x3-bn-relu,maxpool3x3,conv1x1-bn-relu,conv1x1-bn-relu,output"},"identity":"5498ba534c256c9d086596e2b51cf170","job":7,"origin":"random","rung":0,"start":0,"stop":1,"trial":4}','{}',1795637342.9403192996);
INSERT INTO events VALUES(1,23,'reported/7/1','reported','{"epoch":1,"job":7,"metrics":{"regret":0.22655524605385335,"test_error":0.2488393686165274,"valid_error":0.7074640704682429},"notes":{"hash":"5498ba534c256c9d086596e2b51cf170"}}','{"seconds":0.4626}',1795637342.9408617019);
INSERT INTO events VALUES(1,24,'told/7','told','{"job":7,"loss":0.7074640704682429}','{}',1795637342.9412584304);
INSERT INTO events VALUES(1,25,'asked/8','asked','{"config":{"cell":"011010001100000101000010000001000000:input,conv1x1-bn-relu,conv1x1-bn-relu,conv1x1-bn-relu,conv3x3-bn-relu,output"},"identity":"646ec6ba76db846f9e33903c285cb332","job":8,"origin":"random","rung":0,"start":0,"stop":1,"trial":5}','{}',1795637342.9422690869);
INSERT INTO events VALUES(1,26,'reported/8/1','reported','{"epoch":1,"job":8,"metrics":{"regret":0.20519962859795726,"test_error":0.22748375116063138,"valid_error":0.7686601761706073},"notes":{"hash":"646ec6ba76db846f9e33903c285cb332"}}','{"seconds":0.5143}',1795637342.942890644);
INSERT INTO events VALUES(1,27,'told/8','told','{"job":8,"loss":0.7686601761706073}','{}',1795637342.9434010982);
INSERT INTO events VALUES(1,28,'asked/9','asked','{"job":9,"rung":1,"start":0,"stop":2,"trial":4}','{}',1795637342.9438745975);
INSERT INTO events VALUES(1,29,'reported/9/2','reported','{"epoch":2,"job":9,"metrics":{"regret":0.22655524605385335,"test_error":0.2488393686165274,"valid_error":0.3796940194714882},"notes":{"hash":"5498ba534c256c9d086596e2b51cf170"}}','{"seconds":0.9252}',1795637342.944283247);
INSERT INTO events VALUES(1,30,'told/9','told','{"job":9,"loss":0.3796940194714882}','{}',1795637342.94459033);
INSERT INTO events VALUES(1,31,'asked/10','asked','{"config":{"cell":"011110001001000100000011000000000000:input,conv3x3-bn-relu,maxpool3x3,maxpool3x3,maxpool3x3,output"},"identity":"301d1123d9204dd397002e4ab0a27b37","job":10,"origin":"random","rung":0,"start":0,"stop":1,"trial":6}','{}',1795637342.9452245235);
INSERT INTO events VALUES(1,32,'reported/10/1','reported','{"epoch":1,"job":10,"metrics":{"regret":0.3119777158774373,"test_error":0.3342618384401114,"valid_error":0.7181270282800185},"notes":{"hash":"301d1123d9204dd397002e4ab0a27b37"}}','{"seconds":0.4127}',1795637342.9456393718);
INSERT INTO events VALUES(1,33,'told/10','told','{"job":10,"loss":0.7181270282800185}','{}',1795637342.9459955692);
INSERT INTO events VALUES(1,34,'asked/11','asked','{"config":{"cell":"011011001110000100000001000000000000:input,maxpool3x3,conv1x1-bn-relu,maxpool3x3,conv1x1-bn-relu,output"},"identity":"0df5609b2fdca8050afd62f3be2e44dc","job":11,"origin":"random","rung":0,"start":0,"stop":1,"trial":7}','{}',1795637342.9466581344);
INSERT INTO events VALUES(1,35,'reported/11/1','reported','{"epoch":1,"job":11,"metrics":{"regret":0.3166202414113277,"test_error":0.33890436397400187,"valid_error":0.8062123319425127},"notes":{"hash":"0df5609b2fdca8050afd62f3be2e44dc"}}','{"seconds":0.3021}',1795637342.9470796585);
INSERT INTO events VALUES(1,36,'told/11','told','{"job":11,"loss":0.8062123319425127}','{}',1795637342.9475164412);
INSERT INTO events VALUES(1,37,'asked/12','asked','{"job":12,"rung":1,"start":0,"stop":2,"trial":6}','{}',1795637342.9479355811);
INSERT INTO events VALUES(1,38,'reported/12/2','reported','{"epoch":2,"job":12,"metrics":{"regret":0.3119777158774373,"test_error":0.3342618384401114,"valid_error":0.48400556328233657},"notes":{"hash":"301d1123d9204dd397002e4ab0a27b37"}}','{"seconds":0.8253}',1795637342.9483249186);
INSERT INTO events VALUES(1,39,'told/12','told','{"job":12,"loss":0.48400556328233657}','{}',1795637342.948765993);
INSERT INTO events VALUES(1,40,'asked/13','asked','{"job":13,"rung":2,"start":0,"stop":4,"trial":0}','{}',1795637342.9490962029);
INSERT INTO events VALUES(1,41,'reported/13/4','reported','{"epoch":4,"job":13,"metrics":{"regret":0.11699164345403901,"test_error":0.1392757660167131,"valid_error":0.16133518776077885},"notes":{"hash":"3aff97b85dfb85c6e1a3395bd9bbc7d4"}}','{"seconds":1.8186}',1795637342.9494524001);
INSERT INTO events VALUES(1,42,'told/13','told','{"job":13,"loss":0.16133518776077885}','{}',1795637342.9497582912);
INSERT INTO events VALUES(1,43,'closed/0','closed','{"reason":"done","session":0}','{}',1795637342.9500777721);
INSERT INTO events VALUES(2,0,'opened/0','opened','{"session":0}','{"ConfigSpace":"1.2.2","SQLAlchemy":"2.1.9","asha-nas":"0.1.0","host":"node-1","numpy":"2.4.6","pid":4894,"python":"3.11.7","ray":"2.60.0","scikit-learn":"1.9.1","source":"3904c9da7dc3495c","torch":"2.13.0+cpu"}',1795637346.8181152344);
INSERT INTO events VALUES(2,1,'asked/0','asked','{"config":{"cell":"011000001111000110000001000000000000:input,conv3x3-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,output"},"identity":"3aff97b85dfb85c6e1a3395bd9bbc7d4","job":0,"origin":"random","rung":0,"start":0,"stop":1,"trial":0}','{}',1795637346.8226351738);
INSERT INTO events VALUES(2,2,'reported/0/1','reported','{"epoch":1,"job":0,"metrics":{"regret":0.11699164345403901,"test_error":0.1392757660167131,"valid_error":0.627260083449235},"notes":{"hash":"3aff97b85dfb85c6e1a3395bd9bbc7d4"}}','{"seconds":0.4546}',1795637346.8239057064);
INSERT INTO events VALUES(2,3,'told/0','told','{"job":0,"loss":0.627260083449235}','{}',1795637346.8246612548);
INSERT INTO events VALUES(2,4,'asked/1','asked','{"config":{"cell":"011100001000000110000011000001000000:input,conv1x1-bn-relu,conv3x3-bn-relu,maxpool3x3,conv3x3-bn-relu,output"},"identity":"60445f4732635675a215ed88bda34f48","job":1,"origin":"random","rung":0,"start":0,"stop":1,"trial":1}','{}',1795637346.8257250785);
INSERT INTO events VALUES(2,5,'reported/1/1','reported','{"epoch":1,"job":1,"metrics":{"regret":0.2107706592386258,"test_error":0.2330547818012999,"valid_error":0.7287899860917941},"notes":{"hash":"60445f4732635675a215ed88bda34f48"}}','{"seconds":0.5943}',1795637346.8263068199);
INSERT INTO events VALUES(2,6,'told/1','told','{"job":1,"loss":0.7287899860917941}','{}',1795637346.8268866539);
INSERT INTO events VALUES(2,7,'asked/2','asked','{"job":2,"rung":1,"start":0,"stop":2,"trial":0}','{}',1795637346.8273921013);
INSERT INTO events VALUES(2,8,'reported/2/2','reported','{"epoch":2,"job":2,"metrics":{"regret":0.11699164345403901,"test_error":0.1392757660167131,"valid_error":0.35002318034306906},"notes":{"hash":"3aff97b85dfb85c6e1a3395bd9bbc7d4"}}','{"seconds":0.9093}',1795637346.8280780315);
INSERT INTO events VALUES(2,9,'told/2','told','{"job":2,"loss":0.35002318034306906}','{}',1795637346.8286020755);
INSERT INTO events VALUES(2,10,'asked/3','asked','{"config":{"cell":"011011001110000100000001000000000000:input,conv1x1-bn-relu,conv3x3-bn-relu,conv1x1-bn-relu,maxpool3x3,output"},"identity":"89bcdafec298c7806623a6a6f3965a2f","job":3,"origin":"random","rung":0,"start":0,"stop":1,"trial":2}','{}',1795637346.8294520378);
INSERT INTO events VALUES(2,11,'reported/3/1','reported','{"epoch":1,"job":3,"metrics":{"regret":0.10027855153203347,"test_error":0.12256267409470752,"valid_error":0.650904033379694},"notes":{"hash":"89bcdafec298c7806623a6a6f3965a2f"}}','{"seconds":0.4335}',1795637346.8300485611);
INSERT INTO events VALUES(2,12,'told/3','told','{"job":3,"loss":0.650904033379694}','{}',1795637346.8306360244);
INSERT INTO events VALUES(2,13,'asked/4','asked','{"config":{"cell":"011100001000000110000011000001000000:input,maxpool3x3,maxpool3x3,conv3x3-bn-relu,conv1x1-bn-relu,output"},"identity":"f85368cbd138c91ac9af220ce4a6cc17","job":4,"origin":"random","rung":0,"start":0,"stop":1,"trial":3}','{}',1795637346.8315138816);
INSERT INTO events VALUES(2,14,'reported/4/1','reported','{"epoch":1,"job":4,"metrics":{"regret":0.20705663881151348,"test_error":0.22934076137418755,"valid_error":0.7269355586462679},"notes":{"hash":"f85368cbd138c91ac9af220ce4a6cc17"}}','{"seconds":0.5242}',1795637346.8321926593);
INSERT INTO events VALUES(2,15,'told/4','told','{"job":4,"loss":0.7269355586462679}','{}',1795637346.8328068256);
INSERT INTO events VALUES(2,16,'asked/5','asked','{"job":5,"rung":1,"start":0,"stop":2,"trial":2}','{}',1795637346.8332648277);
INSERT INTO events VALUES(2,17,'reported/5/2','reported','{"epoch":2,"job":5,"metrics":{"regret":0.10027855153203347,"test_error":0.12256267409470752,"valid_error":0.29160871580899395},"notes":{"hash":"89bcdafec298c7806623a6a6f3965a2f"}}','{"seconds":0.8669}',1795637346.833843708);
INSERT INTO events VALUES(2,18,'told/5','told','{"job":5,"loss":0.29160871580899395}','{}',1795637346.8342807292);
INSERT INTO events VALUES(2,19,'asked/6','asked','{"job":6,"rung":2,"start":0,"stop":4,"trial":2}','{}',1795637346.8347709179);
INSERT INTO events VALUES(2,20,'reported/6/4','reported','{"epoch":4,"job":6,"metrics":{"regret":0.10027855153203347,"test_error":0.12256267409470752,"valid_error":0.13630041724617525},"notes":{"hash":"89bcdafec298c7806623a6a6f3965a2f"}}','{"seconds":1.7339}',1795637346.8353126048);
INSERT INTO events VALUES(2,21,'told/6','told','{"job":6,"loss":0.13630041724617525}','{}',1795637346.8358452319);
INSERT INTO events VALUES(2,22,'asked/7','asked','{"config":{"cell":"011100001001000111000010000000000000:input,conv3x3-bn-relu,maxpool3x3,conv1x1-bn-relu,conv1x1-bn-relu,output"},"identity":"5498ba534c256c9d086596e2b51cf170","job":7,"origin":"random","rung":0,"start":0,"stop":1,"trial":4}','{}',1795637346.8367946147);
INSERT INTO events VALUES(2,23,'reported/7/1','reported','{"epoch":1,"job":7,"metrics":{"regret":0.22655524605385335,"test_error":0.2488393686165274,"valid_error":0.7074640704682429},"notes":{"hash":"5498ba534c256c9d086596e2b51cf170"}}','{"seconds":0.4626}',1795637346.8374288082);
INSERT INTO events VALUES(2,24,'told/7','told','{"job":7,"loss":0.7074640704682429}','{}',1795637346.8378942012);
CREATE TABLE leases (
	study INTEGER NOT NULL, 
	token VARCHAR(40) NOT NULL, 
	host VARCHAR(200) NOT NULL, 
	pid INTEGER NOT NULL, 
	born VARCHAR(40) NOT NULL, 
	renewed FLOAT NOT NULL, stop BOOLEAN DEFAULT 0 NOT NULL, 
	PRIMARY KEY (study), 
	FOREIGN KEY(study) REFERENCES studies (id)
);
INSERT INTO leases VALUES(2,'8cd46006e5f447648026cd4b8ae8d485','node-1',4894,'00000000-0000:4026531836:543390',1700000000.25,0);
CREATE TABLE claims (
	study INTEGER NOT NULL, 
	cluster VARCHAR(200) NOT NULL, 
	priority INTEGER NOT NULL, 
	cpus FLOAT NOT NULL, 
	gpus FLOAT NOT NULL, 
	wanted INTEGER NOT NULL, 
	most INTEGER NOT NULL, 
	workers INTEGER NOT NULL, 
	served FLOAT NOT NULL, 
	renewed FLOAT NOT NULL, 
	PRIMARY KEY (study), 
	FOREIGN KEY(study) REFERENCES studies (id)
);
INSERT INTO claims VALUES(2,'session_2023-11-14_22-13-20_250000_17',2,1.0,0.5,4,8,3,12.5,1700000000.25);
COMMIT;
