"""Apache Kafka's own client, tools and broker, as Maven brings them: for tests and benches that want the original beside the node.

    from kafka_java import Java, Broker
    java = Java("clients", "3.9.1")        # or "broker": all of Kafka. Raises Missing where there is no Java, Maven or way to the jars
    java.run(["org.apache.kafka.tools.TopicCommand", "--bootstrap-server", address, "--list"])
    with Broker(Java("broker", "4.1.1")) as broker: ...broker.address...

The jars stay in Maven's own repository in the user's home; only the class path is noted in build-tools/kafka, so that a second tree
or a second run fetches nothing.
"""
import os, shutil, subprocess, tempfile, time
from node import PATIENCE, _alive, free_port

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.environ.get("WEIR_SOURCE") or os.path.join(HERE, "..", "..")
NOTES = os.path.join(SOURCE, "build-tools", "kafka")
POMS = os.path.join(SOURCE, "tests", "kafka", "java")
VERSION, VERSION_BEFORE = "4.1.1", "3.9.1"


class Missing(Exception):
    """Why the original can't be had here, in words for a skip."""


def _noted(path):
    """The class path that was noted, if all of its jars are still there."""
    try:
        with open(path) as file:
            jars = file.read().strip()
    except OSError:
        return None
    return jars if jars and all(os.path.exists(jar) for jar in jars.split(":")) else None


def _class_path(what, version):
    path = os.path.join(NOTES, "%s-%s.classpath" % (what, version))
    jars = _noted(path)
    if jars:
        return jars
    if not shutil.which("mvn"):
        raise Missing("there is no mvn: apt-get install maven")
    os.makedirs(NOTES, exist_ok=True)
    fresh = "%s.%d" % (path, os.getpid())  # two tests may fetch at the same time
    try:
        done = subprocess.run(["mvn", "-q", "-B", "-f", os.path.join(POMS, what + ".xml"), "-Dkafka.version=" + version,
                               "dependency:build-classpath", "-Dmdep.includeScope=runtime", "-Dmdep.outputFile=" + fresh],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=6 * PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise Missing("mvn took too long to fetch Kafka %s" % version) from None
    if done.returncode:
        raise Missing("mvn could not fetch Kafka %s: %s" % (version, done.stdout.decode(errors="replace").strip()[:300]))
    os.replace(fresh, path)
    return _noted(path) or ""


class Java:
    """A class path, and java to run on it."""

    def __init__(self, what, version):
        if not shutil.which("java"):
            raise Missing("there is no java: apt-get install openjdk-17-jdk-headless")
        self.version, self.path = version, _class_path(what, version)

    def command(self, words, heap="256m", options=()):
        """C1 alone: programs of seconds are quicker without what the second compiler takes to be good."""
        return ["java", "-Xmx" + heap, "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", self.path,
                *options, *words]

    def run(self, words, data=None, patience=2 * PATIENCE):
        """(exit code, what it printed on both)."""
        done = subprocess.run(self.command(words), input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=patience, check=False)
        return done.returncode, done.stdout.decode(errors="replace")

    def start(self, words, **more):
        process = subprocess.Popen(self.command(words), stdout=subprocess.PIPE, start_new_session=True, **more)
        _alive.append(process)
        return process


CONFIG = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={folder}/data
num.partitions=4
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
"""


class Broker:
    """One broker that is its own controller (KRaft), in a folder of its own. settings: further lines of server.properties."""

    def __init__(self, java, settings=(), heap="1g"):
        """Heap: what Kafka's own start script gives. Both compilers, as that has it: a broker is judged when it is warm."""
        self.java, self.folder, self.port = java, tempfile.mkdtemp(prefix="weir-kafka-"), free_port()
        self.address = "127.0.0.1:%d" % self.port
        properties = os.path.join(self.folder, "server.properties")
        with open(properties, "w") as file:
            file.write(CONFIG.format(port=self.port, controller=free_port(), folder=self.folder) + "".join(s + "\n" for s in settings))
        code, text = java.run(["kafka.tools.StorageTool", "format", "-t", "d2VpcidzIG93biB0ZXN0cw", "-c", properties])
        if code:
            raise RuntimeError("Kafka's storage could not be formatted: " + text)
        self.log = os.path.join(self.folder, "broker.log")
        began = time.monotonic()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["java", "-Xms" + heap, "-Xmx" + heap, "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-server",
                 "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", java.path, "kafka.Kafka", properties],
                stdout=log, stderr=log, start_new_session=True)
        _alive.append(self.process)
        self.began = began

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def words(self):
        with open(self.log, errors="replace") as file:
            return file.read()[-2000:]

    def resident_bytes(self):
        return resident_bytes(self.process.pid)

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def resident_bytes(pid):
    with open("/proc/%d/status" % pid) as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS"))
