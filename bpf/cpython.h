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
 * The context current on the running thread; 0: none, or not known. A thread that CPython knows nothing of (one of a
 * library's own) would walk the list in vain at each call: it looks again ever more rarely, up to every 64th time.
 */
TS_SHARED __u64 ts_python_context(struct ts_thread *thread)
{
	const struct task_struct *task = (const struct task_struct *)bpf_get_current_task();
	const struct ts_python *python;
	__u64 self, context;
	__u32 pid;

	if (!thread || !ts_python_met)
		return 0;
	pid = thread->pid;
	python = bpf_map_lookup_elem(&python_processes, &pid);
	if (!python)
		return 0;
	self = BPF_CORE_READ(task, thread.fsbase);
	if (!thread->python_state || !ts_python_state_holds(python, thread->python_state, self)) {
		thread->python_state = 0;
		if (thread->python_misses & (thread->python_misses < 64 ? thread->python_misses - 1 : 63)) {
			thread->python_misses++;
			return 0;
		}
		thread->python_state = ts_python_find_state(pid, self);
		thread->python_misses = thread->python_state ? 0 : thread->python_misses + 1;
		if (!thread->python_state)
			return 0;
	}
	context = ts_read_word(thread->python_state + python->context);
	if (!context || ts_read_word(context + python->object_type) != python->context_type)
		return 0;
	return context;
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
