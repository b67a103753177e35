"""One member of a consumer group, for mixed_groups.py: prints partition, offset and value of each record that it reads.

It leaves the group when it gets SIGTERM, and vanishes when it is killed.
"""
import signal
import sys

kind, bootstrap, group, topic, assignor = sys.argv[1:]
stopping = []
signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))


def show(partition, offset, value):
    print(partition, offset, value.decode(), flush=True)


def confluent():
    from confluent_kafka import Consumer

    consumer = Consumer({
        "bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest", "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 300, "partition.assignment.strategy": assignor, "enable.auto.commit": True, "auto.commit.interval.ms": 300,
    })
    consumer.subscribe([topic])
    while not stopping:
        message = consumer.poll(0.1)
        if message is not None and not message.error():
            show(message.partition(), message.offset(), message.value())
    consumer.close()


def kafka_python():
    from kafka import KafkaConsumer
    from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
    from kafka.coordinator.assignors.range import RangePartitionAssignor
    from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
    from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

    assignors = [RangePartitionAssignor, RoundRobinPartitionAssignor, StickyPartitionAssignor, CooperativeStickyAssignor]
    consumer = KafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest", session_timeout_ms=6000, heartbeat_interval_ms=300,
        partition_assignment_strategy=[a for a in assignors if a.name == assignor], auto_commit_interval_ms=300,
    )
    while not stopping:
        for records in consumer.poll(timeout_ms=100).values():
            for record in records:
                show(record.partition, record.offset, record.value)
    consumer.close()


{"confluent": confluent, "kafka-python": kafka_python}[kind]()
