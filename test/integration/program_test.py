#!/usr/bin/env python3
"""The program as a user meets it: words, exit codes, messages, restart, demo.

Usage: program_test.py PENSTOCK"""

import json
import os
import pathlib
import signal
import socket
import sqlite3
import subprocess

import program
from program import PATIENCE_S, Server, run


class Program(program.ProgramCase):
    def serve(self, *words: str) -> Server:
        return self.start_ready("--data", self.data, *words)

    def test_wrong_usage_is_2(self):
        self.refused(2, "", "no-such-word")
        self.refused(2, "", "serve", "--no-such-flag")
        self.refused(2, "http://host:port", "topic", "list", "--server", "nonsense")

    def test_wrong_settings_are_78_and_name_the_key(self):
        config = pathlib.Path(self.scratch.name, "penstock.toml")
        config.write_text("[store]\nmax_row_per_s = 1\n")
        self.refused(78, "store.max_rows_per_s", "serve", "--config", str(config))
        self.refused(78, "PENSTOCK_HTTP_LISTEN", "serve", "--data", self.data,
                     env={**os.environ, "PENSTOCK_HTTP_LISTENS": "x"})
        self.refused(78, "TLS", "serve", "--data", self.data, "--listen", "0.0.0.0:0")

    def test_a_foreign_directory_is_78_and_untouched(self):
        foreign = pathlib.Path(self.scratch.name, "foreign")
        foreign.mkdir()
        (foreign / "letter").write_text("mine")
        self.refused(78, "letter", "serve", "--data", str(foreign))
        self.assertEqual([path.name for path in foreign.iterdir()], ["letter"])

    def test_a_directory_in_use_is_75_and_a_taken_port_69(self):
        server = self.serve()
        self.refused(75, "in use", "serve", "--data", self.data, "--listen", "127.0.0.1:0")
        self.refused(69, "Address already in use", "serve", "--data", self.data + "2", "--listen",
                     f"127.0.0.1:{server.port}")
        self.assertEqual(server.end(), 0)

    def test_nobody_there_is_69(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        self.refused(69, "penstock serve", "topic", "list", "--server", url)

    def test_no_data_is_65(self):
        self.refused(65, "holds no database", "verify", "--data", self.data)

    def test_a_missing_log_is_65(self):
        server = self.serve()
        self.assertEqual(server.call("PUT", "/v1/campaigns/c", '{"quantity": 5}')[0], 201)
        self.assertEqual(server.end(), 0)
        os.rename(self.data + "/log", self.scratch.name + "/log")
        self.refused(65, "Restore", "serve", "--data", self.data, "--listen", "127.0.0.1:0")
        os.rename(self.scratch.name + "/log", self.data + "/log")
        self.serve()

    def test_damage_is_65_and_named(self):
        server = self.serve()
        self.assertEqual(server.call("PUT", "/v1/campaigns/c", '{"quantity": 5}')[0], 201)
        self.assertEqual(server.end(), 0)
        segment = next(pathlib.Path(self.data, "log", "sale", "0").glob("*.segment"))
        content = bytearray(segment.read_bytes())
        content[600] ^= 1
        segment.write_bytes(content)
        self.refused(65, str(segment.name), "serve", "--data", self.data)
        done = run("log", "inspect", "--data", self.data, "--output", "json")
        self.assertEqual(done.returncode, 65)
        self.assertFalse(json.loads(done.stdout)["sound"])

    def test_what_a_later_version_left_is_78(self):
        self.assertEqual(self.serve().end(), 0)
        with sqlite3.connect(self.data + "/penstock.db") as database:
            database.execute("UPDATE penstock_schema SET version = 99 WHERE component = 'sale'")
        database.close()
        self.refused(78, "99", "serve", "--data", self.data, "--listen", "127.0.0.1:0")
        pathlib.Path(self.data, "penstock-data").write_text("penstock data directory, version 9\n")
        self.refused(78, "version 9", "serve", "--data", self.data, "--listen", "127.0.0.1:0")

    def test_foreign_tables_of_our_names_are_78_and_stay_as_they_are(self):
        self.assertEqual(self.serve().end(), 0)
        for table in ("penstock_owner", "sale_stock", "penstock_schema"):
            for file in pathlib.Path(self.data).glob("penstock.db*"):
                file.unlink()
            with sqlite3.connect(self.data + "/penstock.db") as database:
                database.execute(f"CREATE TABLE {table} (mine integer)")
                database.commit()
                self.refused(78, table, "serve", "--data", self.data, "--listen", "127.0.0.1:0")
                left = database.execute("SELECT name FROM sqlite_schema").fetchall()
                self.assertEqual(left, [(table,)], "nothing is left beside it")
            database.close()

    def test_a_disk_that_takes_nothing_is_74(self):
        # A disk of our own, full or read-only, in a mount namespace of our own.
        for options, part in (("size=2m", "space"), ("ro", "--data")):
            shell = f'mount -t tmpfs -o {options} disk "$1" && exec "$0" serve --listen ' \
                    '127.0.0.1:0 --data "$1/data"'
            unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
            done = subprocess.run(
                [*unshare, "sh", "-c", shell, program.PENSTOCK, self.scratch.name],
                capture_output=True, text=True, timeout=PATIENCE_S)
            self.assertEqual(done.returncode, 74, done.stderr)
            self.assertIn(part, done.stderr)

    def test_without_a_database_the_log_makes_it_again(self):
        server = self.serve()
        server.call("PUT", "/v1/campaigns/c", '{"quantity": 2}')
        answers = {}
        for name in ("a", "b", "c"):
            answers[name] = server.call("POST", "/v1/campaigns/c/claims",
                                        json.dumps({"user_id": name}), **{"Idempotency-Key": name})
        self.assertEqual(server.end(), 0)
        for file in pathlib.Path(self.data).glob("penstock.db*"):
            file.unlink()
        again = self.serve()
        for name in ("a", "b"):
            self.assertEqual(again.call("GET", f"/v1/claims/{name}"), (200, answers[name][1]))
        self.assertEqual(again.call("GET", "/v1/campaigns/c")[0], 200)
        self.assertEqual(again.end(), 0)
        self.assertEqual(run("verify", "--data", self.data).returncode, 0)

    def test_without_a_database_an_outcome_that_hung_on_the_clock_is_65(self):
        server = self.serve()
        server.call("PUT", "/v1/campaigns/c", '{"quantity": 2}')
        server.call("POST", "/v1/campaigns/c/claims",
                    '{"user_id": "a", "deadline": "2100-01-01T00:00:00Z"}')
        self.assertEqual(server.end(), 0)
        for file in pathlib.Path(self.data).glob("penstock.db*"):
            file.unlink()
        self.refused(65, "deadline", "serve", "--data", self.data, "--listen", "127.0.0.1:0")

    def test_logs_have_levels_and_a_json_form(self):
        done = run("serve", "--data", self.data, "--listen", "127.0.0.1:0", "--config", "/nowhere")
        self.assertEqual(done.returncode, 78, done.stderr)
        server = subprocess.Popen(
            [program.PENSTOCK, "serve", "--data", self.data, "--listen", "127.0.0.1:0", "--output",
             "json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PENSTOCK_LOGGING_FORMAT": "json"})
        self.addCleanup(server.kill)
        self.assertIn("url", json.loads(server.stdout.readline()))
        said = json.loads(server.stderr.readline())
        self.assertIn(said["level"], ("info", "warning"))
        server.terminate()
        server.communicate(timeout=PATIENCE_S)

    def test_the_same_id_gets_the_same_answer_after_kill_and_restart(self):
        server = self.serve()
        server.call("PUT", "/v1/campaigns/c", '{"quantity": 5, "per_user": 1}')
        claim = ("POST", "/v1/campaigns/c/claims", '{"user_id": "ada"}')
        first = server.call(*claim, **{"Idempotency-Key": "order-1"})
        self.assertEqual(first[0], 201)
        server.end(signal.SIGKILL)
        again = self.serve()
        self.assertEqual(again.call(*claim, **{"Idempotency-Key": "order-1"}), (200, first[1]))
        self.assertEqual(again.call("GET", "/v1/claims/order-1"), (200, first[1]))
        verified = run("verify", "--server", again.url, "--data", self.data)
        self.assertEqual(verified.returncode, 0, verified.stdout)
        self.assertEqual(again.end(), 0)
        stopped = run("verify", "--data", self.data)
        self.assertEqual(stopped.returncode, 0, stopped.stdout)

    def test_produce_and_consume_in_each_format(self):
        server = self.serve()
        common = ("--server", server.url)
        for name, lines in {"string": "a\tx\n", "long": "1\t-2\n", "hex": "00ff\t10\n",
                            "json": '"k"\t{"a":1}\n'}.items():
            formats = ("--key-format", name, "--value-format", name)
            created = run("topic", "create", name, "--partitions", "2", *common)
            self.assertEqual(created.returncode, 0, created.stderr)
            made = run("produce", name, "--parse-key", *formats, *common, input=lines)
            self.assertEqual(made.returncode, 0, made.stderr)
            read = run("consume", name, "--from-beginning", "--to-end", *formats, *common)
            self.assertEqual(read.stdout, lines)
        self.refused(2, "whole number", "produce", "long", "--value-format", "long", *common,
                     input="x\n")
        self.assertEqual(run("topic", "delete", "long", *common).returncode, 0)
        self.refused(2, "no topic", "topic", "describe", "long", *common)

    def test_load_and_history_agree_with_verify(self):
        server = self.serve()
        server.call("PUT", "/v1/campaigns/c", '{"quantity": 200, "per_user": 1}')
        history = self.scratch.name + "/history"
        load = run("load", "--server", server.url, "--campaign", "c", "--users", "16",
                   "--requests", "600", "--repeat-fraction", "0.1", "--history", history,
                   "--output", "json")
        self.assertEqual(load.returncode, 0, load.stderr)
        report = json.loads(load.stdout)
        self.assertEqual(report["granted"], 200)
        self.assertEqual(report["answered"], 600)
        self.assertEqual(report["mismatches"], 0)
        verified = run("verify", "--server", server.url, "--data", self.data, "--history", history)
        self.assertEqual(verified.returncode, 0, verified.stdout)

    def test_the_rate_can_be_changed_while_running(self):
        server = self.serve()
        self.assertEqual(server.call("PATCH", "/v1/runtime", '{"max_rows_per_s": 7}')[0], 200)
        self.assertEqual(json.loads(server.call("GET", "/v1/runtime")[1])["max_rows_per_s"], 7)

    def test_a_small_demo_is_exact(self):
        done = run("demo", "--units", "500", "--claims", "1500", "--clients", "32")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("EXACT: 500 of 500 units", done.stdout)


if __name__ == "__main__":
    program.main()
