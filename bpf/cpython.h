/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
/*
 * The contextvars.Context object that is current on a thread of CPython, read from the target's memory. The thread
 * state that the interpreter calls current is of no use: the GIL is given up around a system call. So the thread's own
 * state is looked up in the interpreter's list, by thread_id, and remembered.
 *
 * The memory changes while it is read. Nothing that is read is trusted beyond what is checked: a remembered state must
 * still be in the list and bear this thread's id, and what is taken for a context must be an object of that type.
 */
#ifndef TIMESINK_CPYTHON_H
#define TIMESINK_CPYTHON_H

#include "ring.h"
#include "thread.h"

#include "timesink/abi/attach.h"

/* Written by live/ when it has found its way around a process; a forked process has its parent's. */
struct ts_python_processes {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct ts_python);
};
struct ts_python_processes python_processes SEC(".maps") __weak;

/*
 * Contexts whose making was told: by address, the task that runs in it; 0: told by the probe on all copies. The oldest
 * give way, which leaves them unsure.
 */
struct ts_context_key {
	__u64 context;
	__u32 pid;
	__u32 reserved;
};
struct ts_known_contexts {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct ts_context_key);
	__type(value, __u64);
};
struct ts_known_contexts known_contexts SEC(".maps") __weak;

/* By thread: the asyncio task made last, and the context that it was made in. Valid while ts_thread.python_fresh is
 * set. */
struct ts_fresh_task {
	__u64 task;
	__u64 parent;
};
struct ts_fresh_tasks {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct ts_fresh_task);
};
struct ts_fresh_tasks fresh_tasks SEC(".maps") __weak;

/* A loop's thread makes a task for the first request that it reads; one that sends more than once without is a worker.
 */
#define TS_STRANGE_WRITES 2
#define TS_MAKES_TASKS 255

#define TS_CONTEXT_UNSURE 1 /* objects are aligned: the lowest bit is free */

extern __u32 ts_python_met; /* 0: no target runs CPython */

#define TS_PYTHON_THREADS 512 /* no more are looked at */

static __always_inline __u64 ts_read_word(__u64 address)
{
	__u64 word = 0;

	bpf_probe_read_user(&word, sizeof(word), (void *)address);
	return word;
}

/* In the list still, and this thread's: the memory of a state that was freed keeps its id for a while. */
static __always_inline bool ts_python_state_holds(const struct ts_python *python, __u64 state, __u64 self)
{
	__u64 previous, link;

	if (ts_read_word(state + python->thread_id) != self)
		return false;
	previous = ts_read_word(state + python->previous);
	link = previous ? previous + python->next : python->interpreter + python->threads_head;
	return ts_read_word(link) == state;
}

/* Global (weak: each object that includes this has one), with numbers for arguments: verified once. */
__weak __noinline __u64 ts_python_find_state(__u32 pid, __u64 self)
{
	const struct ts_python *python = bpf_map_lookup_elem(&python_processes, &pid);
	__u64 state;

	if (!python)
		return 0;
	state = ts_read_word(python->interpreter + python->threads_head);
	for (__u32 i = 0; i < TS_PYTHON_THREADS; i++) {
		if (!state || ts_read_word(state + python->thread_id) == self)
			break;
		state = ts_read_word(state + python->next);
	}
	return state && ts_python_state_holds(python, state, self) ? state : 0;
}

/*
 * The thread's own PyThreadState; 0: none. A thread that CPython knows nothing of (one of a library's own) would walk
 * the list in vain at each call: it looks again ever more rarely, up to every 64th time.
 */
static __always_inline __u64 ts_python_state(struct ts_thread *thread, const struct ts_python *python)
{
	const struct task_struct *task = (const struct task_struct *)bpf_get_current_task();
	__u64 self = BPF_CORE_READ(task, thread.fsbase);
	__u8 misses;

	if (thread->python_state && ts_python_state_holds(python, thread->python_state, self))
		return thread->python_state;
	thread->python_state = 0;
	misses = thread->python_misses;
	thread->python_misses = misses < 127 ? misses + 1 : 64;
	if (misses & (misses < 64 ? misses - 1 : 63))
		return 0;
	thread->python_state = ts_python_find_state(thread->pid, self);
	if (thread->python_state)
		thread->python_misses = 0;
	return thread->python_state;
}

static __always_inline bool ts_is_context(const struct ts_python *python, __u64 address)
{
	return address && ts_read_word(address + python->object_type) == python->context_type;
}

/*
 * Its making was told, and it is not another one at the same address: the task that runs in it holds it still; or all
 * makings are told.
 */
static __always_inline bool ts_context_is_known(const struct ts_python *python, __u32 pid, __u64 context)
{
	struct ts_context_key key = {.context = context, .pid = pid};
	const __u64 *task = bpf_map_lookup_elem(&known_contexts, &key);

	return task && (!*task || ts_read_word(*task + python->task_context) == context);
}

/* The name of the context current on the running thread; 0: none, or not known. */
TS_SHARED __u64 ts_python_context(struct ts_thread *thread)
{
	struct ts_python *python;
	__u64 state, context;
	__u32 pid;

	if (!thread || !ts_python_met)
		return 0;
	pid = thread->pid;
	python = bpf_map_lookup_elem(&python_processes, &pid);
	if (!python)
		return 0;
	state = ts_python_state(thread, python);
	if (!state)
		return 0;
	context = ts_read_word(state + python->context);
	if (!ts_is_context(python, context))
		return 0;
	if (ts_context_is_known(python, pid, context))
		return context;
	return context | TS_CONTEXT_UNSURE;
}

/* The thread sent something in a context of this name: asks live/ to have all copies told, once that is of use. */
static __always_inline void ts_python_sent(struct ts_thread *thread, __u64 context)
{
	struct ts_python *python;
	__u32 pid = thread->pid;

	if (!(context & TS_CONTEXT_UNSURE) || thread->python_strange >= TS_STRANGE_WRITES)
		return;
	python = bpf_map_lookup_elem(&python_processes, &pid);
	if (!python || !python->task_bytes || ++thread->python_strange < TS_STRANGE_WRITES)
		return;
	python->threads_have_contexts = 1;
}

static __always_inline void ts_tell_lineage(__u32 pid, __u64 child, __u64 parent)
{
	struct ts_lineage *out =
		ts_reserve(TS_EVENT_LINEAGE, sizeof(*out), (__u32)bpf_get_current_pid_tgid(), bpf_ktime_get_ns());

	if (!out)
		return;
	out->child = child;
	out->parent = parent;
	out->pid = pid;
	out->start = 0;
	ts_submit(out);
}

#define TS_TASK_WORDS 128

/*
 * Where a task keeps its context: the last word of it that points to one, as the one before it belongs to a callback.
 * Found out once for each process; what is read there is checked each time.
 */
__weak __noinline __u32 ts_python_find_task_context(__u32 pid, __u64 task)
{
	struct ts_python *python = bpf_map_lookup_elem(&python_processes, &pid);
	__u32 found = 0;

	if (!python)
		return 0;
	for (__u32 i = 2; i < TS_TASK_WORDS; i++) {
		if (i * 8 >= python->task_bytes)
			break;
		if (ts_is_context(python, ts_read_word(task + i * 8)))
			found = i * 8;
	}
	python->task_context = found;
	return found;
}

/* The task that this thread made last has its context by now: tells it, before anything can be sent in it. */
TS_SHARED int ts_python_settle(struct ts_thread *thread)
{
	struct ts_context_key key = {};
	const struct ts_python *python;
	const struct ts_fresh_task *fresh;
	__u64 task, parent;
	__u32 offset, pid, tid = (__u32)bpf_get_current_pid_tgid();
	const __u64 *holder;

	if (!thread)
		return 0;
	thread->python_fresh = 0;
	pid = thread->pid;
	python = bpf_map_lookup_elem(&python_processes, &pid);
	fresh = bpf_map_lookup_elem(&fresh_tasks, &tid);
	if (!python || !fresh)
		return 0;
	task = fresh->task;
	parent = fresh->parent;
	offset = python->task_context;
	if (!offset)
		offset = ts_python_find_task_context(pid, task);
	if (!offset)
		return 0;
	key.context = ts_read_word(task + offset);
	key.pid = pid;
	if ((parent & ~(__u64)TS_CONTEXT_UNSURE) == key.context || !ts_is_context(python, key.context))
		return 0;
	/* Handed an existing context (create_task(context=…)): it stays whose it was. */
	holder = bpf_map_lookup_elem(&known_contexts, &key);
	if (holder && *holder && *holder != task && ts_read_word(*holder + offset) == key.context)
		return 0;
	if (!holder || *holder)
		ts_tell_lineage(pid, key.context, parent);
	bpf_map_update_elem(&known_contexts, &key, &task, BPF_ANY);
	return 0;
}

static __always_inline void ts_python_forked(__u32 parent, __u32 child)
{
	const struct ts_python *python;

	if (!ts_python_met)
		return;
	python = bpf_map_lookup_elem(&python_processes, &parent);
	if (python)
		bpf_map_update_elem(&python_processes, &child, python, BPF_ANY);
}

/* It has ended, or runs another program now. */
static __always_inline void ts_python_gone(__u32 pid)
{
	if (ts_python_met)
		bpf_map_delete_elem(&python_processes, &pid);
}

#endif
