"""The real `consul exec` makes muster's agents run commands, where they are allowed to. Skipped, aloud, without Consul."""
import subprocess
import sys
import unittest

from kit import PATIENCE, Cluster, find_consul, get, wait_until

CONSUL = find_consul()


class Willing(Cluster):
    """Its server and first agent run what they are told; the second agent does not."""

    def _add(self, name, address, flags):
        process = super()._add(name, address, flags)
        self.configure(name, **({} if name == "agent-1" else {"disable_remote_exec": False}))
        return process


class Exec(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Willing(1, 2)
        cls.cluster.__enter__()
        cls.host = cls.cluster.server_address(0)
        wait_until("all are in the catalog", lambda: len(get(cls.host, "/v1/catalog/nodes").json()) == 3)

    @classmethod
    def tearDownClass(cls):
        cls.cluster.__exit__(None, None, None)

    def run_exec(self, *args, stdin=None, code=0):
        done = subprocess.run([CONSUL, "exec", f"-http-addr={self.host}:8500", "-wait=2s", "-wait-repl=500ms", *args],
                              input=stdin, capture_output=True, timeout=PATIENCE, text=True)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertEqual(get(self.host, "/v1/kv/_rexec?recurse").status, 404)  # it has cleaned up
        return done.stdout + done.stderr

    def test_who_may_runs_it_and_says_how_it_went(self):
        out = self.run_exec("-verbose", "echo to stdout; echo to stderr >&2; exit 3", code=2)
        for node in ("server-0", "agent-0"):
            self.assertIn(f"{node}: to stdout", out)
            self.assertIn(f"{node}: to stderr", out)
            self.assertIn(f"{node}: finished with exit code 3", out)
        self.assertNotIn("agent-1", out)
        self.assertIn("2 / 2 node(s) completed / acknowledged", out)

    def test_arguments_are_run_without_a_shell(self):
        out = self.run_exec("-node=agent-0", "-shell=false", "/bin/echo", "a  b", "$HOME")
        self.assertIn("agent-0: a  b $HOME", out)
        self.assertIn("1 / 1 node(s) completed / acknowledged", out)

    def test_a_script_is_run_and_leaves_nothing(self):
        out = self.run_exec("-node=agent-0", "-", stdin="echo I am $0\nls $0\n")
        self.assertIn("rexec", out)
        path = out.split("I am ")[1].split()[0]
        self.assertFalse(subprocess.run(["test", "-e", path], check=False).returncode == 0)

    def test_output_of_any_length_comes_whole_and_in_order(self):
        out = self.run_exec("-node=agent-0", "-wait=5s", "seq 1 9999")
        numbers = [int(w) for w in out.replace("agent-0:", " ").split() if w.isdigit()]
        self.assertGreater(len(numbers), 9990)  # the client cuts lines at the borders of chunks
        text = "".join(line.split(":", 1)[1].strip() for line in out.splitlines() if line.strip().startswith("agent-0:"))
        self.assertEqual(text, "".join(str(i) for i in range(1, 10000)))

    def test_what_cannot_be_started_is_an_error(self):
        out = self.run_exec("-node=agent-0", "-shell=false", "/nonexistent/program", code=2)
        self.assertIn("agent-0: finished with exit code 255", out)

    def test_a_quiet_program_is_waited_for(self):
        out = self.run_exec("-node=agent-0", "sleep 6; echo at last")
        self.assertIn("agent-0: at last", out)


if __name__ == "__main__":
    if not CONSUL:
        print("SKIPPED: no Consul binary")
        sys.exit(77)
    unittest.main(verbosity=2)
