#!/usr/bin/env python3
"""The program on real engines that are not there, not ours, or not as they must be: an exit code or
a 503 with its reason, a message that names the setting and says what to do, nothing touched, no
secret shown.

Usage: engines_program_test.py PENSTOCK [test names]"""

import json
from concurrent.futures import ThreadPoolExecutor

import program
from on_engines import BOTH, DATABASES, FILE, LOCAL, SECRET, OnEngines, set_up
from program import Server, eventually, run
from real_engines import Silent, engines
from processes import commands_in_line

def setUpModule():
    set_up("kafka", "redis", *DATABASES)


def tearDownModule():
    OnEngines.engines.end()


class NotThere(OnEngines):
    def test_engines_that_do_not_answer_are_69(self):
        silent, full = Silent(False), Silent(True)
        self.addCleanup(silent.close)
        self.addCleanup(full.close)
        account = f"joe:{SECRET}"
        used = self.store(database=self.used_database())
        tried = []
        for place in (f"127.0.0.1:{engines.free_port()}", f"127.0.0.1:{silent.port}",
                      f"127.0.0.1:{full.port}", "no-such-host.invalid:7777"):
            tried.append((self.config(log=self.kafka(brokers=place), store=used), BOTH,
                          ("log.brokers: ", place, "do the brokers run?")))
            gate = {**self.gate, "url": f"redis://{account}@{place}"}
            tried.append((self.config(gate=gate, store=self.store(database="penstock")),
                          ("serve",), ("gate.url: ", place, "url")))
            for kind, scheme in (("postgres", "postgresql"), ("mariadb", "mariadb")):
                store = {"kind": kind, "url": f"{scheme}://{account}@{place}/sales"}
                tried.append((self.config(store=store), BOTH,
                              ("store.url: ", place, "start the server or correct the url")))
        with ThreadPoolExecutor(len(tried)) as pool:
            for one in [pool.submit(self.refused_with, 69, parts, file, words)
                        for file, words, parts in tried]:
                one.result()

    def test_addresses_that_are_none_are_78(self):
        used = self.store(database=self.used_database())
        for brokers in ("http://kafka:9092", "kafka:nine", ":9092", "one:9092,,two:9092"):
            self.refused_with(78, ("log.brokers", "such as"),
                              self.config(log=self.kafka(brokers=brokers), store=used), BOTH)
        for kind, url in (("postgres", f"postgres:/joe:{SECRET}@127.0.0.1/sales"),
                          ("postgres", f"postgresql://joe:{SECRET}@127.0.0.1:port/sales"),
                          ("postgres", f"postgresql://joe:{SECRET}@127.0.0.1/sales?nonsense=1"),
                          ("postgres", f"mariadb://joe:{SECRET}@127.0.0.1/sales"),
                          ("mariadb", f"mysql://joe:{SECRET}@127.0.0.1/sales"),
                          ("mariadb", f"mariadb://joe:{SECRET}@127.0.0.1:port/sales")):
            self.refused_with(78, ("store.url: ", "://user:password@host:port/database"),
                              self.config(store={"kind": kind, "url": url}), BOTH)
        for kind in DATABASES:
            self.refused_with(78, ("store.url is needed, such as",),
                              self.config(store={"kind": kind, "url": None}), BOTH)
        for url in (f"http://:{SECRET}@127.0.0.1", f"redis://{SECRET}@127.0.0.1",
                    f"redis://:{SECRET}@127.0.0.1/sales", f"redis://:{SECRET}@127.0.0.1:port"):
            self.refused_with(78, ("gate.url: ", "it reads redis://"), self.config(
                gate={**self.gate, "url": url}, store=self.store(database="penstock")))
        self.refused_with(78, ("gate.prefix must be", "{"),
                          self.config(gate={**self.gate, "prefix": "{sale}"}), BOTH)

    def test_servers_of_another_kind_are_69(self):
        redis = self.engines.port("redis")
        self.refused_with(69, ("log.brokers: ",),
                          self.config(log=self.kafka(brokers=f"127.0.0.1:{redis}")))
        for kind in DATABASES:
            url = self.engines.url(kind, "sales", f"joe:{SECRET}", redis)
            self.refused_with(69, ("store.url: ",), self.config(store=self.store(kind, url=url)))
        gate = {**self.gate, "url": f"redis://127.0.0.1:{self.engines.port('postgres')}"}
        self.refused_with(69, ("gate.url: ", "url"),
                          self.config(gate=gate, store=self.store(database="penstock")))


class Accounts(OnEngines):
    def require_password(self, password: str) -> None:
        redis = self.engines.redis
        redis("CONFIG", "SET", "requirepass", password)
        self.addCleanup(lambda: redis("-a", password, "CONFIG", "SET", "requirepass", ""))

    def test_a_refused_account_is_78(self):
        for kind in DATABASES:
            name = self.engines.new_account(kind, "right")
            for account in (f"{name}:{SECRET}", name, f"nobody:{SECRET}"):
                if kind == "postgres" and account.startswith("nobody"):
                    continue  # its servers here trust whoever has no rule
                url = self.engines.url(kind, "penstock", account)
                self.refused_with(78, ("store.url: ", "check", "user and password in the url"),
                                  self.config(store=self.store(kind, url=url)), BOTH)

    def test_a_database_that_is_not_there_is_78(self):
        for kind, hint in (("postgres", "create the database"), ("mariadb", "CREATE DATABASE")):
            self.refused_with(78, ("store.url: ", "no_such_database", hint),
                              self.config(store=self.store(kind, "no_such_database")), BOTH)

    def test_who_may_not_create_tables_is_78_and_told_what_to_grant(self):
        for kind in DATABASES:
            name = self.engines.new_account(kind, SECRET)
            url = self.engines.url(kind, self.engines.new_database(kind), f"{name}:{SECRET}")
            self.refused_with(78, ("store.url: ", "GRANT", name),
                              self.config(store=self.store(kind, url=url)))

    def test_a_refused_login_at_redis_is_78(self):
        self.require_password("right")
        for login in ("", f":{SECRET}@", f"joe:{SECRET}@"):
            url = f"redis://{login}127.0.0.1:{self.engines.port('redis')}"
            self.refused_with(78, ("gate.url: ", "check the user and password"), self.config(
                gate={**self.gate, "url": url}, store=self.store(database="penstock")))

    def test_a_refused_login_at_kafka_is_78(self):
        module = "org.apache.kafka.common.security.plain.PlainLoginModule"
        broker = self.engines.start("kafka", {
            "listener.security.protocol.map": "PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.plaintext.plain.sasl.jaas.config": f'{module} required user_joe="right";'})
        login = ["security.protocol=sasl_plaintext", "sasl.mechanism=PLAIN", "sasl.username=joe"]
        used = self.store(database=self.used_database())
        self.refused_with(78, ("log.properties: ", broker["url"], "sasl.password"), self.config(
            log=self.kafka(brokers=broker["url"], properties=[*login, f"sasl.password={SECRET}"]),
            store=used), BOTH)
        right = self.kafka(brokers=broker["url"], properties=[*login, "sasl.password=right"])
        self.assertEqual(self.serve(self.config(log=right)).end(), 0)

    def test_a_database_of_redis_that_is_not_there_is_78(self):
        gate = {**self.gate, "url": self.gate["url"] + "/9999"}
        self.refused_with(78, ("gate.url: ", "check the database"),
                          self.config(gate=gate, store=self.store(database="penstock")))

    def test_passwords_are_never_said_while_it_works_and_its_servers_come_and_go(self):
        self.engines.remove_topics()
        self.require_password(SECRET)
        name = self.engines.new_account("postgres", SECRET)
        database = self.engines.new_database("postgres")
        self.engines.sql("postgres", f"GRANT ALL ON SCHEMA public TO {name}", database)
        url = self.engines.url("postgres", database, f"{name}:{SECRET}")
        redis = f"redis://:{SECRET}@127.0.0.1:{self.engines.port('redis')}"
        file = self.config(gate={**self.gate, "url": redis}, store=self.store(url=url),
                           logging={"level": "debug"})
        server = self.serve(file)
        self.engines.engines.obey({"do": "restart", "name": "postgres"})
        eventually("it tells of the database", lambda: "PostgreSQL" in server.said())
        self.engines.redis("-a", SECRET, "CLIENT", "KILL", "TYPE", "normal")
        eventually("it tells of the gate", lambda: "Redis" in server.said())
        eventually("it is ready again", server.is_ready)
        self.assertEqual(server.end(), 0)
        self.assertNotIn(SECRET, server.said())


class Tables(OnEngines):
    def tables(self, kind: str, database: str) -> str:
        schema = "current_schema()" if kind == "postgres" else "DATABASE()"
        return self.engines.sql(kind, "SELECT table_name FROM information_schema.tables "
                                      f"WHERE table_schema = {schema}", database)

    def test_foreign_tables_of_our_names_are_78_and_stay_as_they_are(self):
        for kind in DATABASES:
            for table in ("penstock_owner", "sale_stock", "penstock_schema"):
                database = self.engines.new_database(kind)
                self.engines.sql(kind, f"CREATE TABLE {table} (mine integer)", database)
                self.engines.sql(kind, f"INSERT INTO {table} VALUES (7)", database)
                file = self.config(store=self.store(kind, database))
                self.refused_with(78, (table, "another database"), file)
                self.refused_with(65, ("store.url: ", "is it that of a node"), file, ("verify",))
                self.assertEqual(self.engines.sql(kind, f"SELECT mine FROM {table}", database), "7")
                self.assertEqual(self.tables(kind, database), table, "nothing is left beside it")

    def test_an_empty_database_is_65_for_verify_and_stays_empty(self):
        for kind in DATABASES:
            database = self.engines.new_database(kind)
            self.refused_with(65, ("store.url: ", "penstock serve"),
                              self.config(store=self.store(kind, database)), ("verify",))
            self.assertEqual(self.tables(kind, database), "")

    def test_what_a_later_version_left_is_78(self):
        for kind in DATABASES:
            database = self.used_database(kind)
            file = self.config(log=FILE, gate=LOCAL, store=self.store(kind, database))
            for component in ("sale", "penstock"):
                self.engines.sql(kind, "UPDATE penstock_schema SET version = 99 WHERE component = "
                                  f"'{component}'", database)
                self.refused_with(78, (component, "99", "use a newer program"), file, BOTH)


class Settings(OnEngines):
    def test_properties_that_a_guarantee_rests_on_are_78(self):
        secret = f"sasl.password={SECRET}"
        for wrong, named in (("acks=1", "acks"), ("enable.idempotence=false", "idempotence"),
                             ("isolation.level=read_uncommitted", "isolation.level"),
                             ("max.in.flight=6", "max.in.flight"),
                             ("bootstrap.servers=other:9092", "log.brokers"),
                             ("group.id=other", "runtime.group"), ("acks", "name=value"),
                             ("no.such.property=1", "no.such.property"), ("=1", "No such"),
                             ("linger.ms=soon", "linger.ms"), ("retries=0", "retries")):
            self.refused_with(78, ("log.properties: ", named),
                              self.config(log=self.kafka(properties=[secret, wrong])))

    def test_a_gate_of_one_process_before_engines_of_many_is_78(self):
        for kind in DATABASES:
            self.refused_with(78, ('set gate.kind = "redis"',),
                              self.config(gate=LOCAL, store=self.store(kind)))

    def test_redis_that_may_evict_is_78(self):
        self.engines.redis("CONFIG", "SET", "maxmemory", "100mb")
        self.addCleanup(lambda: self.engines.redis("CONFIG", "SET", "maxmemory", "0"))
        self.engines.redis("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        self.addCleanup(
            lambda: self.engines.redis("CONFIG", "SET", "maxmemory-policy", "noeviction"))
        self.refused_with(78, ("gate.url: ", "set maxmemory-policy noeviction"), self.config())

    def test_a_second_group_on_the_same_engines_is_78_and_the_first_goes_on(self):
        self.engines.remove_topics()
        store = self.store()
        server = self.serve(self.config(store=store))
        other = self.config(store=store, runtime={"group": "other"})
        self.refused_with(78, ('runtime.group = "penstock"', "database"), other)
        self.assertTrue(server.is_ready())
        self.assertEqual(server.end(), 0)
        self.refused_with(78, ('runtime.group = "penstock"', "database"), other)


class Hanging(OnEngines):
    def test_a_stop_does_not_wait_for_an_engine_that_hangs(self):
        """Within the 20 s of docs/configuration.md, and some for a busy machine."""
        self.engines.remove_topics()
        hanging = {"postgres": self.config(log=FILE, store=self.store()),
                   "mariadb": self.config(log=FILE, gate=self.new_gate(),
                                          store=self.store("mariadb")),
                   "kafka": self.config(gate=self.new_gate(), store={"kind": "sqlite"})}
        servers = {name: self.serve(file) for name, file in hanging.items()}
        for server in servers.values():
            self.assertEqual(server.call("PUT", "/v1/campaigns/c", '{"quantity": 20}')[0], 201)
            self.sell(server, "c", 5)
        for name in hanging:
            self.engines.engines.obey({"do": "pause", "name": name})
            self.addCleanup(self.engines.engines.obey, {"do": "resume", "name": name})
        with ThreadPoolExecutor(len(hanging)) as pool:
            waiting = {name: pool.submit(server.call, "POST", "/v1/campaigns/c/claims",
                                         '{"user_id": "user-5"}', **{"Idempotency-Key": "c-5"})
                       for name, server in servers.items()}
            eventually("the claims are on their way",
                       lambda: all(commands_in_line(server.url) == 1
                                   for server in servers.values()))
            for server in servers.values():
                server.process.terminate()
            for name, answer in waiting.items():
                # On the log, or unknown: never a no.
                self.assertEqual(answer.result()[0], 504 if name == "kafka" else 202)
            for server in servers.values():
                self.assertEqual(server.process.wait(30), 0, server.said())
        for name, file in hanging.items():
            self.engines.engines.obey({"do": "resume", "name": name})
            server = self.serve(file)
            self.ends_exact(server, file, self.sell(server, "c", 25), units=20)


class GateData(OnEngines):
    def test_foreign_data_under_our_keys_is_left_alone_and_nothing_is_sold_until_it_is_gone(self):
        self.engines.remove_topics()
        file = self.config()
        server = self.serve(file)
        self.assertEqual(server.call("PUT", "/v1/campaigns/c", '{"quantity": 2}')[0], 201)
        self.assertEqual(server.end(), 0)
        key = self.gate["prefix"] + "{c}"
        self.engines.redis("DEL", key)
        self.engines.redis("RPUSH", key, "mine")
        again = self.start("--config", file)
        claim = ("POST", "/v1/campaigns/c/claims", '{"user_id": "ada"}')
        waits = eventually("it waits for the gate", lambda: self.waits_for(again, "the gate: "))
        self.assertIn("gate.prefix", waits)
        self.assertEqual(again.call(*claim)[0], 503)
        self.assertEqual(self.engines.redis("LRANGE", key, "0", "-1"), "mine")
        self.engines.redis("DEL", key)
        eventually("it is ready", again.is_ready)
        self.assertEqual(again.call(*claim)[0], 201)
        self.assertEqual(again.end(), 0)
        self.assertEqual(run("verify", "--config", file).returncode, 0)

    def waits_for(self, server: Server, what: str) -> str:
        status, body = server.call("GET", "/readyz")
        self.assertEqual(status, 503, body)
        waits = json.loads(body)["waits_for"]
        return waits if waits.startswith(what) else ""


if __name__ == "__main__":
    program.main()
