"""The distributed stack on one machine without Docker: the real PostgreSQL, the real Apache Kafka and our processes."""
