"""What an agent asks its servers: once, whoever else asks the same; and on behalf of its clients until one answers.

Servers count what they are asked: consul_rpc_request of Prometheus, since they started."""
import http.client
import os
import signal
import socket
import threading
import time
import unittest

from kit import BIN, Cluster, get, kv_get, kv_path, put, wait_until

COUNTED = ["-hcl", '{"telemetry": {"prometheus_retention_time": "1m", "disable_hostname": true}}']
LIMIT = ["-hcl", '{"limits": {"http_max_conns_per_client": 3000}}']


def counted(host, name):
    """As of the end of the last interval of ten seconds."""
    for line in get(host, "/v1/agent/metrics?format=prometheus").body.decode().splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    return 0.0


def next_interval(host):
    """Waits until what has happened by now is counted."""
    stamp = lambda: get(host, "/v1/agent/metrics").json()["Timestamp"]  # noqa: E731
    before = stamp()
    wait_until("the interval is over", lambda: stamp() != before, pause=0.2)


def asked(host):
    """Calls that came to this server from elsewhere, by now."""
    next_interval(host)
    return counted(host, "consul_rpc_request")


def sanitized():
    with open(os.path.join(BIN, "muster-agent"), "rb") as f:
        return b"__asan_init" in f.read()


def open_and_send(host, path):
    s = socket.create_connection((host, 8500), timeout=60)
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return s


def receive(s):
    response = http.client.HTTPResponse(s)
    response.begin()
    body = response.read()
    return response.status, body, response.getheader("X-Consul-Index")


class Sharing(unittest.TestCase):
    def cluster(self):
        return Cluster(servers=1, agents=1, extra_flags=[*COUNTED, *LIMIT])

    def test_a_thousand_watchers_are_one_query_and_lose_nothing(self):
        with self.cluster() as c:
            agent, server = c.agent_address(0), c.server_address(0)
            put(agent, kv_path("watched"), "0")
            index = get(agent, kv_path("watched")).index
            path = kv_path("watched") + f"?raw&index={index}&wait=300s"
            watchers = [open_and_send(agent, path) for _ in range(1000)]
            self.assertLess(asked(server), 100)  # one, and what the agent has to say itself
            self.assertEqual(1, counted(server, "consul_rpc_queries_blocking"))
            put(server, kv_path("watched"), "1")
            answers = [receive(s) for s in watchers]
            self.assertEqual({(200, b"1")}, {a[:2] for a in answers})

            # All but one leave, and the query stays.
            path = kv_path("watched") + f"?raw&index={answers[0][2]}&wait=300s"
            for s in watchers:
                s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            time.sleep(0.3)
            for s in watchers[1:]:
                s.close()

            # The server goes and comes back with news that nobody could tell: the last watcher hears of it.
            c.server(0).kill()
            c.server(0).start()
            c.wait_for_leader()
            put(server, kv_path("watched"), "2")
            self.assertEqual((200, b"2"), receive(watchers[0])[:2])
            watchers[0].sendall(f"GET {path.replace('index=', 'index=9')} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            time.sleep(0.3)
            watchers[0].close()
            next_interval(server)
            self.assertEqual(0, counted(server, "consul_rpc_queries_blocking"))

    def test_reads_at_the_same_time_are_few_questions_and_never_old(self):
        with self.cluster() as c:
            agent, server = c.agent_address(0), c.server_address(0)
            put(agent, kv_path("n"), "0")
            done = threading.Event()
            served, wrong = [0] * 16, []
            newest = [0]

            def reader(i):
                connection = http.client.HTTPConnection(agent, 8500, timeout=30)
                while not done.is_set():
                    known = newest[0]
                    connection.request("GET", kv_path("n") + "?raw")
                    value = int(connection.getresponse().read())
                    if value < known:
                        wrong.append((known, value))
                    served[i] += 1
                connection.close()

            threads = [threading.Thread(target=reader, args=(i,)) for i in range(16)]
            for t in threads:
                t.start()
            for n in range(1, 100):
                put(agent, kv_path("n"), str(n))
                newest[0] = n  # it was acknowledged: whoever asks from now on must not get less
            done.set()
            for t in threads:
                t.join()
            self.assertEqual([], wrong)
            self.assertLess(16, sum(served))

    def test_who_asks_while_a_question_is_on_its_way_shares_the_next(self):
        with self.cluster() as c:
            agent, server = c.agent_address(0), c.server_address(0)
            put(agent, kv_path("n"), "0")
            before = asked(server)
            c.server(0).send(signal.SIGSTOP)  # so that nothing is answered before all have asked
            clients = [open_and_send(agent, kv_path("n") + "?raw") for _ in range(500)]
            for _ in range(2):  # the second is read after all that was there before the first
                get(agent, "/v1/agent/self")
            c.server(0).send(signal.SIGCONT)
            self.assertEqual({(200, b"0")}, {receive(s)[:2] for s in clients})
            self.assertLess(asked(server) - before, 100)  # two, and what the agent has to say itself

    def test_cached_answers_cost_servers_nothing_and_are_fresh(self):
        with self.cluster() as c:
            agent, server = c.agent_address(0), c.server_address(0)
            path = "/v1/health/service/web?cached"
            put(server, "/v1/catalog/register", {"Node": "x", "Address": "1.2.3.4", "Service": {"Service": "web"}})
            self.assertEqual("MISS", get(agent, path).headers["x-cache"])
            for _ in range(200):
                reply = get(agent, path)
                self.assertEqual(("HIT", "0"), (reply.headers["x-cache"], reply.headers["age"]))
            self.assertLess(asked(server), 100)
            put(server, "/v1/catalog/register", {"Node": "y", "Address": "1.2.3.5", "Service": {"Service": "web"}})
            wait_until("the change is there by itself", lambda: len(get(agent, path).json()) == 2)

            # Without servers the last answer stays, and says how old it is.
            c.server(0).kill()
            wait_until("the age grows", lambda: int(get(agent, path).headers["age"]) >= 2)
            self.assertEqual(2, len(get(agent, path).json()))
            c.server(0).start()
            c.wait_for_leader()
            wait_until("the age is 0 again", lambda: get(agent, path).headers["age"] == "0")

    def test_made_up_names_do_not_grow_an_agent(self):
        with self.cluster() as c:
            agent = c.agent_address(0)
            connection = http.client.HTTPConnection(agent, 8500, timeout=30)

            def flood(start, count):
                for i in range(start, start + count):
                    connection.request("GET", f"/v1/health/service/no-{i}?cached")
                    connection.getresponse().read()

            flood(0, 2200)
            before = c.agent(0).resident_bytes()
            flood(2200, 800 if sanitized() else 5000)
            next_interval(agent)
            self.assertTrue(0 < counted(agent, "consul_consul_cache_entries_count") <= 2048)
            if not sanitized():  # sanitizers keep what is freed
                self.assertLess(c.agent(0).resident_bytes() - before, 4 << 20)


class Failures(unittest.TestCase):
    def clients(self, c, n):
        """n clients that read and write through the agent as fast as they can; what failed, and how to end them."""
        failed, done, counts = [], threading.Event(), [0] * n

        def client(i):
            connection = http.client.HTTPConnection(c.agent_address(0), 8500, timeout=60)
            while not done.is_set():
                try:
                    connection.request("GET", kv_path(f"k{i}") + ("?stale" if i % 3 == 0 else ""))
                    reply = connection.getresponse()
                    body = reply.read()
                except (OSError, http.client.HTTPException) as e:
                    failed.append(repr(e))
                    connection.close()
                    continue
                if reply.status not in (200, 404):
                    failed.append(f"{reply.status} {body!r}")
                counts[i] += 1
            connection.close()

        threads = [threading.Thread(target=client, args=(i,)) for i in range(n)]
        for t in threads:
            t.start()

        def end():
            done.set()
            for t in threads:
                t.join()
            return failed, counts

        return counts, end

    def test_killing_servers_under_200_clients_fails_no_read(self):
        with Cluster(servers=3, agents=1, extra_flags=LIMIT) as c:
            counts, end = self.clients(c, 200)
            try:
                for n in range(2):
                    wait_until("they are served", lambda: sum(counts) > 500)
                    victim = c.find_leader(c.agent_address(0)) if n else 0
                    c.server(victim).kill()
                    served = sum(counts)
                    wait_until("they go on", lambda: sum(counts) > served + 1000)
                    c.server(victim).start()
                    c.wait_for_leader(c.server_address(victim))
            finally:
                failed, _ = end()
            self.assertEqual([], failed)

    def test_a_server_that_falls_silent_costs_seconds(self):
        with Cluster(servers=3, agents=1) as c:
            agent = c.agent_address(0)
            put(agent, kv_path("a"), "1")
            followers = [i for i in range(3) if i != c.find_leader()]
            for i in range(3):  # whichever the agent has chosen
                if i in followers:
                    c.server(i).send(signal.SIGSTOP)
                    try:
                        self.assertEqual("1", kv_get(agent, "a"))
                        # Of a write under way nobody knows; but that is told soon, and the next one finds its way.
                        replies = [put(agent, kv_path("b"), "2", timeout=20) for _ in range(2)]
                        self.assertEqual(200, replies[1].status)
                    finally:
                        c.server(i).send(signal.SIGCONT)

    def test_watchers_hear_of_changes_though_their_server_is_stopped(self):
        with Cluster(servers=3, agents=1) as c:
            agent = c.agent_address(0)
            put(agent, kv_path("a"), "1")
            index = get(agent, kv_path("a")).index
            watcher = open_and_send(agent, kv_path("a") + f"?raw&stale&index={index}&wait=300s")
            followers = [i for i in range(3) if i != c.find_leader()]
            c.server(followers[0]).send(signal.SIGSTOP)
            try:
                wait_until("it is known to be silent", lambda: sum(
                    m["Status"] == 1 for m in get(agent, "/v1/agent/members").json()) == 3)
                wait_until("a write", lambda: put(
                    c.server_address(followers[1]), kv_path("a"), "2", timeout=15).body == b"true")
                self.assertEqual((200, b"2"), receive(watcher)[:2])
            finally:
                c.server(followers[0]).send(signal.SIGCONT)

    def test_a_restart_of_the_only_server_is_not_noticed(self):
        with Cluster(servers=1, agents=1) as c:
            agent = c.agent_address(0)
            put(agent, kv_path("a"), "1")
            c.server(0).kill()
            result = []
            writer = threading.Thread(target=lambda: result.append(put(agent, kv_path("a"), "2", timeout=60)))
            writer.start()
            c.server(0).start()
            writer.join()
            self.assertEqual((200, b"true"), (result[0].status, result[0].body))

    def test_calls_beyond_the_rate_get_429(self):
        with Cluster(servers=1) as c:
            c.configure("agent-0", limits={"rpc_rate": 0.1, "rpc_max_burst": 40})
            c.add_agent(0, *COUNTED).start()
            agent = c.agent_address(0)
            wait_until("it has joined", lambda: get(agent, "/v1/status/leader").json())
            statuses = [get(agent, kv_path("a")).status for _ in range(60)]
            self.assertEqual(429, statuses[-1])
            c.configure("agent-0", limits={"rpc_rate": -1})  # and a reload lifts it
            self.assertEqual(200, put(agent, "/v1/agent/reload").status)
            wait_until("calls get through", lambda: [get(agent, kv_path("a")).status for _ in range(50)] == [404] * 50)
            next_interval(agent)
            self.assertGreater(counted(agent, "consul_client_rpc_exceeded"), 0)


if __name__ == "__main__":
    unittest.main()
