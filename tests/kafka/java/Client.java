/* The Java client as its users write it, driven by test_java.py: one verb a run, one JSON array on stdout at the end.
 * ADDRESS VERB ARGUMENT... */
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;

public class Client {
    static final String BYTES = "org.apache.kafka.common.serialization.ByteArray";
    static final String TEXT = "org.apache.kafka.common.serialization.String";
    static final Duration POLL = Duration.ofMillis(200);
    static String address;

    public static void main(String[] args) throws Exception {
        address = args[0];
        switch (args[1]) {
        case "codecs" -> codecs(args[2], Integer.parseInt(args[3]));
        case "ledger" -> ledger(args[2], Integer.parseInt(args[3]));
        case "member" -> member(args[2], args[3], args[4]);
        case "admin" -> admin(args[2]);
        default -> throw new IllegalArgumentException("there is no verb " + args[1]);
        }
    }

    static Properties settings(String... more) {
        Properties p = new Properties();
        p.put("bootstrap.servers", address);
        for (int i = 0; i < more.length; i += 2) p.put(more[i], more[i + 1]);
        return p;
    }

    static KafkaProducer<String, String> producer(String... more) {
        Properties p = settings(more);
        p.put("key.serializer", TEXT + "Serializer");
        p.put("value.serializer", TEXT + "Serializer");
        return new KafkaProducer<>(p);
    }

    static KafkaConsumer<String, String> consumer(String... more) {
        Properties p = settings(more);
        p.put("key.deserializer", TEXT + "Deserializer");
        p.put("value.deserializer", TEXT + "Deserializer");
        p.putIfAbsent("enable.auto.commit", "false");
        p.putIfAbsent("auto.offset.reset", "earliest");
        return new KafkaConsumer<>(p);
    }

    static String value(int i) {
        return String.format("%08d-", i) + "weir ".repeat(16);
    }

    static void codecs(String prefix, int count) throws Exception {
        List<String> lines = new ArrayList<>();
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) lines.add(codec(prefix + codec, codec, count));
        System.out.println("[" + String.join(", ", lines) + "]");
    }

    /* Everything as it is by default (acks=all, idempotent), with headers, keys and times; read again by assign: how many came back
     * as they were, where the partition ends and begins, and whether something is there at a time after all of them. */
    static String codec(String topic, String codec, int count) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (var p = producer("compression.type", codec)) {
            for (int i = 0; i < count; i++) {
                var record = new ProducerRecord<>(topic, 0, 1700000000000L + i, i % 3 == 0 ? null : "k" + i, i % 7 == 0 ? null : value(i));
                record.headers().add("h", Integer.toString(i).getBytes(StandardCharsets.UTF_8));
                sent.add(p.send(record));
            }
            p.flush();
            for (int i = 0; i < count; i++)
                if (sent.get(i).get().offset() != i) throw new IllegalStateException("record " + i + " is at " + sent.get(i).get().offset());
        }
        int right = 0;
        TopicPartition part = new TopicPartition(topic, 0);
        try (var c = consumer()) {
            c.assign(List.of(part));
            c.seekToBeginning(List.of(part));
            long end = c.endOffsets(List.of(part)).get(part);
            while (c.position(part) < end)
                for (var r : c.poll(POLL)) {
                    int i = (int) r.offset();
                    Header h = r.headers().lastHeader("h");
                    boolean same = Objects.equals(r.key(), i % 3 == 0 ? null : "k" + i) && Objects.equals(r.value(), i % 7 == 0 ? null : value(i)) &&
                        r.timestamp() == 1700000000000L + i && new String(h.value(), StandardCharsets.UTF_8).equals(Integer.toString(i));
                    right += same ? 1 : 0;
                }
            boolean later = c.offsetsForTimes(Map.of(part, 1700000000000L + count)).get(part) != null;
            return String.format("[%d, %d, %d, %b]", right, end, c.beginningOffsets(List.of(part)).get(part), later);
        }
    }

    /* An idempotent producer that goes on while the node is killed; says each hundredth number it was told is there. */
    static void ledger(String topic, int count) throws Exception {
        long[] acked = new long[1];
        List<String> wrong = Collections.synchronizedList(new ArrayList<>());
        try (var p = producer("linger.ms", "1", "delivery.timeout.ms", "120000", "request.timeout.ms", "5000", "reconnect.backoff.max.ms", "200")) {
            for (int i = 0; i < count; i++) {
                int number = i;
                p.send(new ProducerRecord<>(topic, i % 4, null, Integer.toString(i)), (where, error) -> {
                    if (error != null) wrong.add(error.toString());
                    else if (where.offset() != number / 4) wrong.add(number + " is at " + where.offset());
                    else if (++acked[0] % 100 == 0) System.out.println(acked[0]);
                });
                if (i % 50 == 0) Thread.sleep(5); /* so that there is something to kill in */
            }
        }
        Map<TopicPartition, List<String>> found = new TreeMap<>(Comparator.comparing(TopicPartition::partition));
        for (int i = 0; i < 4; i++) found.put(new TopicPartition(topic, i), new ArrayList<>());
        try (var c = consumer()) {
            c.assign(found.keySet());
            c.seekToBeginning(found.keySet());
            var ends = c.endOffsets(found.keySet());
            while (ends.entrySet().stream().anyMatch(e -> c.position(e.getKey()) < e.getValue()))
                for (var r : c.poll(POLL)) found.get(new TopicPartition(topic, r.partition())).add(r.value());
        }
        int inOrder = 0;
        for (var entry : found.entrySet())
            for (int k = 0; k < entry.getValue().size(); k++)
                inOrder += entry.getValue().get(k).equals(Integer.toString(4 * k + entry.getKey().partition())) ? 1 : 0;
        int all = found.values().stream().mapToInt(List::size).sum();
        System.out.printf("[%d, %d, %d, \"%s\"]%n", acked[0], all, inOrder, wrong.stream().limit(3).collect(Collectors.joining("; ")));
    }

    /* A member of a group for ever: says what it owns whenever that changes, and each value that it committed. */
    static void member(String group, String topic, String strategy) {
        try (var c = consumer("group.id", group, "session.timeout.ms", "3000", "heartbeat.interval.ms", "500", "max.poll.records", "20",
                 "partition.assignment.strategy", "org.apache.kafka.clients.consumer." + strategy, "metadata.max.age.ms", "1000")) {
            c.subscribe(List.of(topic));
            String before = "";
            while (true) {
                var records = c.poll(POLL);
                for (var r : records) System.out.println("got " + r.value());
                try {
                    if (!records.isEmpty()) c.commitSync();
                } catch (CommitFailedException e) {
                    System.out.println("lost");
                }
                String now = c.assignment().stream().map(p -> Integer.toString(p.partition())).sorted().collect(Collectors.joining(","));
                if (!now.equals(before)) System.out.println("owns " + now);
                before = now;
            }
        }
    }

    /* What an operator's program asks: topics made, grown and described, their settings, groups and their offsets. */
    static void admin(String topic) throws Exception {
        try (Admin a = Admin.create(settings())) {
            var made = a.createTopics(List.of(new NewTopic(topic, 2, (short) 1).configs(Map.of("retention.ms", "60000"))));
            String first = made.config(topic).get().get("retention.ms").value();
            a.createTopics(List.of(new NewTopic(topic + ".tried", 2, (short) 1)), new CreateTopicsOptions().validateOnly(true)).all().get();
            a.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all().get();
            var at = new ConfigResource(ConfigResource.Type.TOPIC, topic);
            a.incrementalAlterConfigs(Map.of(at, List.of(new AlterConfigOp(new ConfigEntry("retention.ms", "70000"), AlterConfigOp.OpType.SET)))).all().get();
            String retention = a.describeConfigs(List.of(at)).all().get().get(at).get("retention.ms").value();
            int partitions = a.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size();
            int nodes = a.describeCluster().nodes().get().size();
            boolean listed = a.listTopics().names().get().contains(topic);
            a.deleteTopics(List.of(topic)).all().get();
            boolean after = a.listTopics().names().get().contains(topic);
            System.out.printf("[%d, \"%s\", \"%s\", %d, %b, %b]%n", partitions, first, retention, nodes, listed, after);
        }
    }
}
