/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
/*
 * What worker threads of CPython's executors work on: the items that go through their queues, and those that were taken
 * by a worker that waited when its queue was probed. Part of cpython.h, which includes it in the middle.
 */
#ifndef TIMESINK_EXECUTOR_H
#define TIMESINK_EXECUTOR_H

/* Work items of executors, from when they are put into the queue until a worker takes them. Their value means nothing.
 */
struct ts_work_items {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct ts_context_key);
	__type(value, __u64);
};
struct ts_work_items work_items SEC(".maps") __weak;

/* By thread: the item that it is putting. Valid while ts_thread.python_puts is set. */
struct ts_put_items {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, __u64);
};
struct ts_put_items put_items SEC(".maps") __weak;

/* By thread: the item for which it was woken, before it was ever seen to take one. */
struct ts_offered_item {
	__u64 item;
	__u32 epoch;
	__u32 reserved;
};
#define TS_OFFER_VOID 0xffffffff
struct ts_offered_items {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct ts_offered_item);
};
struct ts_offered_items offered_items SEC(".maps") __weak;

/*
 * A worker that waited for work when its queue was probed returns from there unseen, this once. Who put an item into
 * the queue and woke a waiting worker gave it that item: unless another took it, which is seen (it is not in work_items
 * any more), or is in the same case. So while the offers of several are open, none of them counts. Nor does one that
 * was made while an older item was in a queue: put() wakes nobody while a worker that it woke has not come to the queue
 * yet, and the next that is woken takes the oldest.
 */
static __always_inline void ts_python_offer(struct ts_thread *waker, struct ts_thread *thread, __u32 tid)
{
	__u32 waker_tid = (__u32)bpf_get_current_pid_tgid(), pid = thread->pid;
	struct ts_offered_item offered = {};
	struct ts_python *python;
	const __u64 *item;

	if (thread->python_takes || pid != waker->pid)
		return;
	python = bpf_map_lookup_elem(&python_processes, &pid);
	item = bpf_map_lookup_elem(&put_items, &waker_tid);
	if (!python || !item)
		return;
	if (!thread->python_offered)
		__sync_fetch_and_add(&python->offers, 1);
	offered.item = *item;
	offered.epoch = python->offer_epoch;
	if (python->offers > 1) {
		__sync_fetch_and_add(&python->offer_epoch, 1);
		offered.epoch = TS_OFFER_VOID;
	}
	if (python->waiting_items > 1)
		offered.epoch = TS_OFFER_VOID;
	thread->python_offered = 1;
	bpf_map_update_elem(&offered_items, &tid, &offered, BPF_ANY);
}

/* The item is out of its queue. Taken once: another object at this address is never taken for it. */
static __always_inline bool ts_python_take_item(struct ts_python *python, const struct ts_context_key *key)
{
	if (bpf_map_delete_elem(&work_items, key))
		return false;
	__sync_fetch_and_add(&python->waiting_items, -1);
	return true;
}

/* It took work, or is working on what it was offered. */
static __always_inline void ts_python_settle_offer(struct ts_thread *thread, struct ts_python *python)
{
	if (!thread->python_offered)
		return;
	thread->python_offered = 0;
	__sync_fetch_and_add(&python->offers, -1);
}

/* struct _PyStackChunk: previous, size, top; then frames, the outermost first. */
#define TS_STACK_CHUNK_HEAD 24
#define TS_STACK_CHUNKS 8
#define TS_STACK_WORDS 70
#define TS_STACK_LOOKS 8

/*
 * The item that the worker holds: its loop (concurrent.futures.thread._worker, the fourth frame of the thread) keeps it
 * in a local variable while it is worked on, 60 to 66 words from the bottom in 3.11 to 3.14. Only there: who hands
 * items on has them in its frames as well, the fifth at the least. 0: none that was put since the queue is probed.
 * Global, with numbers for arguments: verified once.
 */
__weak __noinline __u64 ts_python_held_item(__u32 pid, __u64 data_stack)
{
	struct ts_context_key key = {.pid = pid};
	__u64 chunk = ts_read_word(data_stack), previous;

	for (int i = 0; i < TS_STACK_CHUNKS; i++) {
		previous = ts_read_word(chunk);
		if (!previous)
			break;
		chunk = previous;
	}
	if (!chunk || previous)
		return 0;
	for (int i = 0; i < TS_STACK_WORDS; i++) {
		/* 3.14 marks references in their lowest bits. */
		key.context = ts_read_word(chunk + TS_STACK_CHUNK_HEAD + i * 8) & ~7ULL;
		if (key.context && bpf_map_lookup_elem(&work_items, &key))
			return key.context;
	}
	return 0;
}

/*
 * It may have taken work unseen. Since 3.11 it need not have been woken by who put it: a worker that leaves the queue
 * wakes the next one.
 */
static __always_inline bool ts_python_may_hold(const struct ts_thread *thread, const struct ts_python *python)
{
	if (thread->python_work || thread->python_takes || thread->python_strange == TS_MAKES_TASKS)
		return false;
	return python->data_stack || thread->python_offered;
}

/* The thread makes a call: it has taken something by now. */
static __always_inline void ts_python_claim(struct ts_thread *thread, struct ts_python *python)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	const struct ts_offered_item *offered = bpf_map_lookup_elem(&offered_items, &tid);
	struct ts_context_key key = {.pid = thread->pid};

	if (python->data_stack) {
		if (thread->python_looked < TS_STACK_LOOKS && python->waiting_items) {
			thread->python_looked++;
			if (thread->python_state)
				key.context =
					ts_python_held_item(thread->pid, thread->python_state + python->data_stack);
		}
	} else if (offered && python->offers == 1 && offered->epoch == python->offer_epoch) {
		key.context = offered->item;
	}
	if (!key.context || !ts_python_take_item(python, &key))
		return;
	ts_python_settle_offer(thread, python);
	thread->python_work = key.context;
}

#endif
