"""What Redis answers to INFO, as newer servers answer it."""

from __future__ import annotations

from redis._parsers.helpers import parse_info

from sutazai_ops.engines.redis import keys_by_database

# Of a Redis 8.0.2 with one list in it; the section Keysizes came with 8.0.
ANSWER = b"""# Keyspace
db0:keys=3,expires=1,avg_ttl=0,subexpiry=0
db12:keys=1,expires=0,avg_ttl=0,subexpiry=0

# Keysizes
db0_distrib_strings_sizes:1=1,2=1
db0_distrib_lists_items:2=1
"""


def test_the_sizes_of_keys_that_redis_8_lists_are_no_databases():
    assert keys_by_database(parse_info(ANSWER)) == {"0": 3, "12": 1}
