"""Redis' commands for what Kveik does not have, and what each is told. Called by the registry."""

from __future__ import annotations

from typing import Final

_TYPES: Final = {
    "geographic sets": (
        "GEOADD GEODIST GEOHASH GEOPOS GEORADIUS GEORADIUSBYMEMBER GEORADIUSBYMEMBER_RO "
        "GEORADIUS_RO GEOSEARCH GEOSEARCHSTORE"
    ),
    "hashes": (
        "HDEL HEXISTS HGET HGETALL HINCRBY HINCRBYFLOAT HKEYS HLEN HMGET HMSET HRANDFIELD HSCAN "
        "HSET HSETNX HSTRLEN HVALS"
    ),
    "HyperLogLogs": "PFADD PFCOUNT PFDEBUG PFMERGE PFSELFTEST",
    "lists": (
        "BLMOVE BLMPOP BLPOP BRPOP BRPOPLPUSH LINDEX LINSERT LLEN LMOVE LMPOP LPOP LPOS LPUSH "
        "LPUSHX LRANGE LREM LSET LTRIM RPOP RPOPLPUSH RPUSH RPUSHX"
    ),
    "lists and sets": "SORT SORT_RO",
    "sets": (
        "SADD SCARD SDIFF SDIFFSTORE SINTER SINTERCARD SINTERSTORE SISMEMBER SMEMBERS SMISMEMBER "
        "SMOVE SPOP SRANDMEMBER SREM SSCAN SUNION SUNIONSTORE"
    ),
    "sorted sets": (
        "BZMPOP BZPOPMAX BZPOPMIN ZADD ZCARD ZCOUNT ZDIFF ZDIFFSTORE ZINCRBY ZINTER ZINTERCARD "
        "ZINTERSTORE ZLEXCOUNT ZMPOP ZMSCORE ZPOPMAX ZPOPMIN ZRANDMEMBER ZRANGE ZRANGEBYLEX "
        "ZRANGEBYSCORE ZRANGESTORE ZRANK ZREM ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE "
        "ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE ZUNION ZUNIONSTORE"
    ),
    "streams": (
        "XACK XADD XAUTOCLAIM XCLAIM XDEL XGROUP XINFO XLEN XPENDING XRANGE XREAD XREADGROUP "
        "XREVRANGE XSETID XTRIM"
    ),
}
_SCRIPTS: Final = "EVAL EVALSHA EVALSHA_RO EVAL_RO FCALL FCALL_RO"
_CLUSTER: Final = "ASKING CLUSTER READONLY READWRITE"


def _texts() -> dict[bytes, str]:
    texts = {b"SWAPDB": "ERR SWAPDB is not supported: a key is stored under its database's number"}
    for things, names in _TYPES.items():
        for name in names.split():
            texts[name.encode()] = (
                f"ERR {name} works on {things}, which Kveik does not have: its values are strings"
            )
    for name in _SCRIPTS.split():
        texts[name.encode()] = f"ERR {name} is for scripts, which Kveik does not run"
    for name in _CLUSTER.split():
        texts[name.encode()] = "ERR This instance has cluster support disabled"
    return texts


ABSENT: Final[dict[bytes, str]] = _texts()
