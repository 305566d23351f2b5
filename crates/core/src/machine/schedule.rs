//! Which tasks each batch of traffic has.

use crate::id::TaskId;

/// Cuts seeded shuffles of the train tasks into `n` batches: every task comes once before any comes twice.
/// A batch holds each task at most once; with fewer tasks than `size` it holds them all.
pub fn batches(train: &[TaskId], seed: u64, n: u32, size: usize) -> Vec<Vec<TaskId>> {
    let mut random = SplitMix64(seed);
    let mut deck: Vec<TaskId> = Vec::new();
    let size = size.min(train.len());
    (0..n)
        .map(|_| {
            let mut batch: Vec<TaskId> = Vec::with_capacity(size);
            while batch.len() < size {
                if deck.is_empty() {
                    deck = shuffled(train, &mut random);
                }
                // From the end, skipping what this batch holds already: it stays in the deck for the next one.
                match deck.iter().rposition(|task| !batch.contains(task)) {
                    Some(at) => batch.push(deck.remove(at)),
                    None => deck.splice(0..0, shuffled(train, &mut random)).for_each(drop),
                }
            }
            batch
        })
        .collect()
}

fn shuffled(tasks: &[TaskId], random: &mut SplitMix64) -> Vec<TaskId> {
    let mut tasks = tasks.to_vec();
    for last in (1..tasks.len()).rev() {
        tasks.swap(last, random.below(last + 1));
    }
    tasks
}

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014): small, and the same everywhere.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("a remainder below a usize fits one")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks(n: usize) -> Vec<TaskId> {
        (0..n).map(|i| TaskId::new(format!("t{i}"))).collect()
    }

    #[test]
    fn every_task_comes_once_before_any_comes_twice_and_none_twice_in_a_batch() {
        let train = tasks(74);
        let batches = batches(&train, 7, 18, 10);
        assert!(batches.iter().all(|batch| batch.len() == 10));
        for batch in &batches {
            let mut unique = batch.clone();
            unique.sort();
            unique.dedup();
            assert_eq!(unique.len(), 10);
        }
        let mut first: Vec<_> = batches.concat()[..70].to_vec();
        first.sort();
        first.dedup();
        assert_eq!(first.len(), 70);
    }

    #[test]
    fn the_seed_decides() {
        let train = tasks(30);
        assert_eq!(batches(&train, 1, 3, 10), batches(&train, 1, 3, 10));
        assert_ne!(batches(&train, 1, 3, 10), batches(&train, 2, 3, 10));
    }

    #[test]
    fn few_tasks_make_small_batches_and_none_make_empty_ones() {
        assert_eq!(batches(&tasks(3), 1, 2, 10)[1].len(), 3);
        assert!(batches(&[], 1, 2, 10)[0].is_empty());
    }
}
