//! The hash by which Kafka's Java client chooses the partition of a key (`org.apache.kafka.common.utils.Utils.murmur2`).

/// 32-bit wrapping arithmetic over little-endian words; the bytes of the tail are unsigned.
pub(crate) fn murmur2(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let length = u32::try_from(key.len()).unwrap_or(u32::MAX);
    let mut hash = 0x9747_b28c ^ length;
    let (words, tail) = key.as_chunks();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !tail.is_empty() {
        for (at, byte) in tail.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * at);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// The partition of a key among `partitions`, which is more than 0.
pub(crate) fn partition_of(key: &[u8], partitions: i32) -> i32 {
    (murmur2(key) & 0x7fff_ffff).cast_signed() % partitions
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hashes and partitions (of six) that Java computed.
    #[test]
    fn keys_hash_as_in_java() {
        for (key, hash, partition) in [
            ("", 0x106e_08d9, 3),
            ("a", 0xa2d0_b27c, 4),
            ("ab", 0x12d8_262a, 2),
            ("abc", 0x1c94_221b, 3),
            ("abcd", 0xb11a_b5f4, 2),
            ("abcde", 0x1b89_7edd, 1),
            ("21", 0xc5f2_f8ec, 0),
            ("foobar", 0xd0e4_7bbe, 0),
            ("kafka", 0xd067_cf64, 4),
            ("ä€", 0xf415_8b25, 1),
        ] {
            assert_eq!((murmur2(key.as_bytes()), partition_of(key.as_bytes(), 6)), (hash, partition), "{key:?}");
        }
    }
}
