//! A map with bounds: so many entries, so many bytes. Reading needs no exclusive access.

use std::borrow::Borrow;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};

/// When it is full, the oldest entry that was not used since it was last looked at makes room (second chance).
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    entries: HashMap<K, Slot<V>, foldhash::fast::RandomState>,
    /// Every key once, oldest first; keys of removed entries stay until their turn.
    queue: VecDeque<K>,
    bytes: usize,
    max_entries: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct Slot<V> {
    value: V,
    bytes: usize,
    used: AtomicBool,
}

impl<K: Hash + Eq + Clone, V> Cache<K, V> {
    pub(crate) fn new(max_entries: usize, max_bytes: usize) -> Cache<K, V> {
        Cache { entries: HashMap::default(), queue: VecDeque::new(), bytes: 0, max_entries, max_bytes }
    }

    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let slot = self.entries.get(key)?;
        // Nearly always set already: then the cache line stays shared between the cores.
        if !slot.used.load(Ordering::Relaxed) {
            slot.used.store(true, Ordering::Relaxed);
        }
        Some(&slot.value)
    }

    /// Keeps an entry of about `bytes`; what had to go for it is returned. One that exceeds all bounds alone is not kept.
    pub(crate) fn insert(&mut self, key: K, value: V, bytes: usize) -> Vec<(K, V)> {
        let mut gone = Vec::new();
        gone.extend(self.remove(&key).map(|old| (key.clone(), old)));
        if bytes > self.max_bytes {
            gone.push((key, value));
            return gone;
        }
        while self.entries.len() >= self.max_entries || self.bytes + bytes > self.max_bytes {
            let Some(oldest) = self.queue.pop_front() else { break };
            match self.entries.get(&oldest) {
                Some(slot) if slot.used.swap(false, Ordering::Relaxed) => self.queue.push_back(oldest),
                Some(_) => {
                    if let Some(slot) = self.entries.remove(&oldest) {
                        self.bytes -= slot.bytes;
                        gone.push((oldest, slot.value));
                    }
                }
                None => {}
            }
        }
        self.bytes += bytes;
        self.entries.insert(key.clone(), Slot { value, bytes, used: AtomicBool::new(false) });
        self.queue.push_back(key);
        gone
    }

    pub(crate) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let slot = self.entries.remove(key)?;
        self.bytes -= slot.bytes;
        // Removing is rare; without this a key that comes and goes would fill the queue.
        self.queue.retain(|queued| queued.borrow() != key);
        Some(slot.value)
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.queue.clear();
        self.bytes = 0;
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_outlives_what_is_not() {
        let mut cache = Cache::new(3, 1000);
        for key in 0..3 {
            assert!(cache.insert(key, key * 10, 1).is_empty());
        }
        assert_eq!(cache.get(&0), Some(&0));
        assert_eq!(cache.insert(3, 30, 1), [(1, 10)]);
        assert_eq!((cache.get(&0), cache.get(&1), cache.len()), (Some(&0), None, 3));
    }

    #[test]
    fn bytes_are_bounded_too() {
        let mut cache = Cache::new(100, 10);
        cache.insert("a", 1, 6);
        assert_eq!(cache.insert("b", 2, 6), [("a", 1)]);
        assert_eq!(cache.insert("c", 3, 11), [("c", 3)]);
        assert_eq!(cache.get("b"), Some(&2));
    }

    #[test]
    fn a_key_that_comes_and_goes_leaves_nothing() {
        let mut cache = Cache::new(4, 100);
        for _ in 0..1000 {
            cache.insert("a", 1, 1);
            cache.remove("a");
        }
        assert_eq!((cache.len(), cache.queue.len(), cache.bytes), (0, 0, 0));
    }
}
