"""Orders with idempotency keys, and a reader of the outputs, over the lives of a node: each order once, outputs as they were seen."""
import http.client
import json
import threading

V1 = "/v1/exchange"
TOPICS = ("exchange.events", "exchange.trades")


class Trading:
    """Traders sell to each other one by one. A trader whose connection broke sends the same key again in the next life; by
    its end every key was answered, so the exchange must have counted exactly that many orders."""

    def __init__(self, node, traders=2):
        self.node, self.traders, self.lock = node, traders, threading.Lock()
        self.numbers = [0] * traders  # of the next order; the one in doubt when the node died is sent again
        self.replies = {}             # key -> body of the reply
        self.outputs = {topic: [] for topic in TOPICS}  # what a reader was given: (offset, time, type, value)
        self.stopping, self.threads, self.problems = threading.Event(), [], []

    def create(self):
        answer = self.node.post(V1 + "/symbols", {"symbol": "AAA"})
        assert answer.status in (201, 409), answer

    def start(self):
        self.stopping.clear()
        address = self.node.addresses["http"]
        self.threads = [threading.Thread(target=self._guard, args=(self._trade, address, n), daemon=True) for n in range(self.traders)]
        self.threads += [threading.Thread(target=self._guard, args=(self._follow, address, t), daemon=True) for t in TOPICS]
        for thread in self.threads:
            thread.start()

    def join(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(30)

    def _guard(self, work, address, what):
        """Until the node dies under it."""
        connection = http.client.HTTPConnection(*address, timeout=30)
        try:
            while not self.stopping.is_set() and work(connection, what):
                pass
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()

    def _order(self, connection, trader, number):
        order = {"symbol": "AAA", "side": "SELL" if trader % 2 else "BUY", "price": 100, "quantity": 1, "account": trader + 1}
        headers = {"Content-Type": "application/json", "Idempotency-Key": "%d-%d" % (trader, number)}
        connection.request("POST", V1 + "/orders", json.dumps(order), headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def _trade(self, connection, trader):
        number = self.numbers[trader]
        status, body = self._order(connection, trader, number)
        if status != 201:
            return status in (503, 507)  # no room now; anything else comes from a node that is about to end
        with self.lock:
            self.replies[(trader, number)] = body
        self.numbers[trader] = number + 1
        return True

    def _follow(self, connection, topic):
        seen = self.outputs[topic]
        connection.request("GET", "/v1/topics/%s/records?partition=0&offset=%d&limit=500" % (topic, len(seen)))
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            return False
        seen += [self._told(r) for r in json.loads(body)["records"]]
        return not self.stopping.wait(0.005)

    @staticmethod
    def _told(record):
        return record["offset"], record["timeMs"], record["type"], json.dumps(record["value"])

    def check(self):
        """Problems, as sentences: orders in doubt are sent again, the last answered ones too, and the outputs read from the start."""
        connection, problems = http.client.HTTPConnection(*self.node.addresses["http"], timeout=30), []
        for trader in range(self.traders):
            for number in range(max(0, self.numbers[trader] - 3), self.numbers[trader] + 1):
                status, body = self._order(connection, trader, number)
                if status != 201:
                    raise RuntimeError("order %d-%d is answered with %d %r" % (trader, number, status, body))
                before = self.replies.setdefault((trader, number), body)
                if before != body:
                    problems.append("order %d-%d: %r, acknowledged was %r" % (trader, number, body, before))
            self.numbers[trader] += 1
        orders = int(self.node.get(V1 + "/stats").json()["orders"])
        if orders != len(self.replies):
            problems.append("%d keys were answered, %d orders were counted" % (len(self.replies), orders))
        if len({json.loads(body)["orderId"] for body in self.replies.values()}) != len(self.replies):
            problems.append("an order id was given twice")
        connection.close()
        return problems + [p for topic in TOPICS for p in self._check_outputs(topic)]

    def _check_outputs(self, topic):
        now, seen = [], self.outputs[topic]
        while True:
            page = self.node.get("/v1/topics/%s/records?partition=0&offset=%d&limit=1000" % (topic, len(now))).json()["records"]
            if not page:
                break
            now += [self._told(r) for r in page]
        changed = next((i for i, told in enumerate(seen) if i >= len(now) or now[i] != told), None)
        if changed is None:
            self.outputs[topic] = now
            return []
        return ["%s offset %d changed under a reader: %s, it was %s" % (topic, changed, now[changed:changed + 1], seen[changed])]
