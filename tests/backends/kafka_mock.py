"""librdkafka's mock cluster as a process: `python -m tests.backends.kafka_mock` prints host:port and stays.

It speaks Kafka's protocol over TCP, but it is no Kafka broker: what it holds is in memory, and it cannot create
topics by request, compact, expire, authenticate or delete groups. Its settings are in librdkafka's C interface only.
"""

import ctypes
import sys
from pathlib import Path

import confluent_kafka

BROKERS = 1
CONTROLLER = 1


def library() -> ctypes.CDLL:
    """The very librdkafka that confluent-kafka brings."""
    (path,) = Path(confluent_kafka.__file__).parent.with_name("confluent_kafka.libs").glob("librdkafka-*")
    lib = ctypes.CDLL(str(path))
    pointer, number = ctypes.c_void_p, ctypes.c_int
    lib.rd_kafka_new.restype = lib.rd_kafka_mock_cluster_new.restype = pointer
    lib.rd_kafka_new.argtypes = [number, pointer, ctypes.c_char_p, ctypes.c_size_t]
    lib.rd_kafka_mock_cluster_new.argtypes = [pointer, number]
    lib.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    lib.rd_kafka_mock_cluster_bootstraps.argtypes = [pointer]
    lib.rd_kafka_mock_group_initial_rebalance_delay_ms.argtypes = [pointer, ctypes.c_int32]
    lib.rd_kafka_mock_set_controller_id.argtypes = [pointer, ctypes.c_int32]
    return lib


def main() -> None:
    """Serve until the standard input ends."""
    lib = library()
    client = lib.rd_kafka_new(0, None, ctypes.create_string_buffer(512), 512)
    cluster = lib.rd_kafka_mock_cluster_new(client, BROKERS)
    lib.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0)  # else a first member waits for three seconds
    lib.rd_kafka_mock_set_controller_id(cluster, CONTROLLER)
    print(lib.rd_kafka_mock_cluster_bootstraps(cluster).decode(), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
