/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
/*
 * The contextvars.Context object that is current on a thread of CPython, read from the target's memory. The thread
 * state that the interpreter calls current is of no use: the GIL is given up around a system call. So the thread's own
 * state is looked up in the interpreter's list, by thread_id, and remembered.
 *
 * The memory changes while it is read. Nothing that is read is trusted beyond what is checked: a remembered state must
 * bear this thread's id and have a context (one that was freed has none: PyThreadState_Clear), or else still be in the
 * list; and what is taken for a context must be held by a task known to hold it, or be an object of that type.
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
 * Contexts whose making was told: by address, the task that runs in it; 0: made for no task. The oldest
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

/*
 * A loop's thread makes a task for the first request that it reads; one that sends more than once without is a worker.
 * A worker of an executor that took its work before the attach does so for a while; one that goes on is none of those.
 */
#define TS_STRANGE_WRITES 2
#define TS_STRANGE_WRITES_LONG 32
#define TS_MAKES_TASKS 255

#define TS_CONTEXT_UNSURE 1 /* objects are aligned: the lowest bit is free */

extern __u32 ts_python_met; /* how often live/ told of a process that runs CPython, or more of one; 0: none does */

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
 * The context of a state if that is the thread's, by one read: it is what each call that sends something pays. Takes
 * the offsets of ts_python.thread_id and ts_python.context.
 */
static __always_inline __u64 ts_python_context_in(__u32 thread_id, __u32 context, __u64 state, __u64 self)
{
	__u64 words[TS_PYTHON_STATE_MOST / 8] = {};
	__u32 at = context - thread_id;

	TS_OPAQUE(at);
	if (at > sizeof(words) - 8 || bpf_probe_read_user(words, at + 8, (void *)(state + thread_id)) ||
	    words[0] != self)
		return 0;
	return words[at / 8];
}

/* The process's layout, and the thread's view of it brought up to date. */
static __always_inline struct ts_python *ts_python_of(struct ts_thread *thread)
{
	struct ts_python_view *view = &thread->python;
	__u32 epoch = *(volatile __u32 *)&ts_python_met; /* before the layout is read, which live/ writes first */
	__u32 pid = thread->pid;
	struct ts_python *python = bpf_map_lookup_elem(&python_processes, &pid);

	if (!python)
		return NULL;
	if (view->epoch != epoch) {
		view->context_type = python->context_type;
		view->thread_id = python->thread_id;
		view->context = python->context;
		view->object_type = python->object_type;
		view->buffers = python->buffers;
		view->epoch = epoch;
	}
	view->task_context = python->task_context;
	return python;
}

static __always_inline bool ts_python_is_viewed(const struct ts_thread *thread)
{
	return thread->python.epoch == ts_python_met && thread->python.task_context;
}

/* Objects are aligned to 16 bytes, and those of one kind stand in rows. */
static __always_inline struct ts_python_task *ts_python_task_at(struct ts_thread *thread, __u64 context)
{
	__u32 place = (__u32)(context >> 4) * 0x9e3779b1u >> (32 - TS_PYTHON_TASKS_BITS);

	TS_OPAQUE(place);
	return &thread->python.tasks[place & ((1 << TS_PYTHON_TASKS_BITS) - 1)];
}

static __always_inline void ts_python_note_task(struct ts_thread *thread, __u64 context, __u64 task)
{
	struct ts_python_task *noted = ts_python_task_at(thread, context);

	noted->context = context;
	noted->task = task;
}

/*
 * The thread's own PyThreadState; 0: none. A thread that CPython knows nothing of (one of a library's own) would walk
 * the list in vain at each call: it looks again ever more rarely, up to every 64th time.
 */
static __always_inline __u64 ts_python_state(struct ts_thread *thread, const struct ts_python *python, __u64 self)
{
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

/* PyContext.ctx_entered, unchanged from 3.8 to 3.14 (Include/internal/pycore_context.h) */
#define TS_CONTEXT_ENTERED 40

enum ts_standing { TS_UNSURE, TS_COPIED, TS_OF_TASK };

/* The context that the thread's state names; 0: none. Not checked to be one. */
static __always_inline __u64 ts_python_current(struct ts_thread *thread, const struct ts_python *python)
{
	__u64 self = TS_LOAD(bpf_get_current_task_btf(), thread.fsbase);
	__u64 context = 0, state;

	if (thread->python_state)
		context = ts_python_context_in(python->thread_id, python->context, thread->python_state, self);
	if (context)
		return context;
	state = ts_python_state(thread, python, self);
	return state ? ts_python_context_in(python->thread_id, python->context, state, self) : 0;
}

/*
 * The context that is current, if it is that of a task that was noted, which holds it still: what the whole search
 * would come to as well. 0: it is to be searched for. `self`: the thread's fs base.
 */
static __always_inline __u64 ts_python_noted_context(struct ts_thread *thread, __u64 self)
{
	const struct ts_python_view *view = &thread->python;
	const struct ts_python_task *noted;
	__u64 context;

	if (!thread->python_state || !ts_python_is_viewed(thread))
		return 0;
	context = ts_python_context_in(view->thread_id, view->context, thread->python_state, self);
	if (!context)
		return 0;
	noted = ts_python_task_at(thread, context);
	return noted->context == context && ts_read_word(noted->task + view->task_context) == context ? context : 0;
}

/*
 * Whether its making was told, and it is not another one at the same address. That of a task is while the task holds
 * it. One that was copied by a program (copy_context) is taken for that on threads that make no tasks: what is entered
 * there was made so. A loop enters contexts all the time that it copied for itself, untold.
 */
static __always_inline enum ts_standing ts_context_standing(struct ts_thread *thread, const struct ts_python *python,
							    __u64 context)
{
	struct ts_context_key key = {.context = context, .pid = thread->pid};
	const __u64 *task = bpf_map_lookup_elem(&known_contexts, &key);

	if (!task)
		return TS_UNSURE;
	if (*task && ts_read_word(*task + python->task_context) == context) {
		ts_python_note_task(thread, context, *task);
		return TS_OF_TASK;
	}
	if (*task || !ts_is_context(python, context))
		return TS_UNSURE;
	if (thread->python_strange == TS_MAKES_TASKS || !(__u32)ts_read_word(context + TS_CONTEXT_ENTERED))
		return TS_UNSURE;
	return TS_COPIED;
}

#include "executor.h"

/*
 * The name of the context current on the running thread; 0: none, or not known. For a worker of an executor it is the
 * work item that it took, whatever context that runs in, unless it runs tasks of its own.
 */
static __always_inline __u64 ts_python_context_with(struct ts_thread *thread, struct ts_python *python)
{
	enum ts_standing standing;
	__u64 context;

	context = ts_python_current(thread, python);
	standing = context ? ts_context_standing(thread, python, context) : TS_UNSURE;
	if (standing == TS_OF_TASK)
		return context;
	if (ts_python_may_hold(thread, python))
		ts_python_claim(thread, python);
	if (thread->python_work)
		return thread->python_work;
	if (standing == TS_COPIED)
		return context;
	return context && ts_is_context(python, context) ? context | TS_CONTEXT_UNSURE : 0;
}

TS_SHARED __u64 ts_python_context(struct ts_thread *thread)
{
	struct ts_python *python;
	__u64 context;

	if (!thread)
		return 0;
	context = ts_python_noted_context(thread, TS_LOAD(bpf_get_current_task_btf(), thread.fsbase));
	if (context)
		return context;
	python = ts_python_of(thread);
	return python ? ts_python_context_with(thread, python) : 0;
}

/* The thread sent something in a context of this name: asks live/ to have copies told, once that is of use. */
static __always_inline void ts_python_sent(struct ts_thread *thread, __u64 context)
{
	struct ts_python *python;
	__u32 pid = thread->pid;

	if (!(context & TS_CONTEXT_UNSURE) || thread->python_strange >= TS_STRANGE_WRITES_LONG)
		return;
	/* Its own, which is no one's copy. */
	if (!(__u32)ts_read_word((context & ~(__u64)TS_CONTEXT_UNSURE) + TS_CONTEXT_ENTERED))
		return;
	python = bpf_map_lookup_elem(&python_processes, &pid);
	if (!python || !python->task_bytes)
		return;
	thread->python_strange++;
	if (thread->python_strange == TS_STRANGE_WRITES_LONG)
		python->threads_have_contexts = TS_THREADS_SURELY;
	else if (thread->python_strange == TS_STRANGE_WRITES && !python->threads_have_contexts)
		python->threads_have_contexts = TS_THREADS_MAYBE;
}

static __always_inline void ts_tell_lineage(__u32 pid, __u64 child, __u64 parent, __u64 when)
{
	struct ts_lineage *out = ts_reserve(TS_EVENT_LINEAGE, sizeof(*out), (__u32)bpf_get_current_pid_tgid(), when);

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

/*
 * The task that this thread made last has its context by now: tells it, before anything can be sent in it. `when`: ns,
 * before the call at whose entry this is.
 */
TS_SHARED int ts_python_settle(struct ts_thread *thread, __u64 when)
{
	struct ts_context_key key = {};
	const struct ts_python_view *view;
	__u64 task, parent, *holder;

	if (!thread)
		return 0;
	thread->python_fresh = 0;
	if (!ts_python_is_viewed(thread) && !ts_python_of(thread))
		return 0;
	view = &thread->python;
	key.pid = thread->pid;
	task = thread->python_task;
	parent = thread->python_task_parent;
	if (!view->task_context)
		thread->python.task_context = ts_python_find_task_context(key.pid, task);
	if (!view->task_context)
		return 0;
	key.context = ts_read_word(task + view->task_context);
	if ((parent & ~(__u64)TS_CONTEXT_UNSURE) == key.context || !key.context ||
	    ts_read_word(key.context + view->object_type) != view->context_type)
		return 0;
	/* Handed an existing context (create_task(context=…)): it stays whose it was. */
	holder = bpf_map_lookup_elem(&known_contexts, &key);
	if (holder && *holder && *holder != task && ts_read_word(*holder + view->task_context) == key.context)
		return 0;
	ts_tell_lineage(key.pid, key.context, parent, when);
	ts_python_note_task(thread, key.context, task);
	if (holder)
		*holder = task; /* contexts stand where others stood: an update would be a deletion and an insertion */
	else
		bpf_map_update_elem(&known_contexts, &key, &task, BPF_ANY);
	return 0;
}

/*
 * What a transport was given to send and has not sent: by its descriptor, the name that the call bears which sends it.
 * That is the transport's own address, told as a copy of the context in which the writing was: the task may be over by
 * the time of the call, and another at the address of its context.
 */
struct ts_buffered_key {
	__u32 pid;
	__s32 fd;
};
struct ts_buffered {
	__u64 name;
	__u64 context;
};
struct ts_buffered_writes {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct ts_buffered_key);
	__type(value, struct ts_buffered);
};
struct ts_buffered_writes buffered_writes SEC(".maps") __weak;

/* The running thread gave the transport something to send. Pieces of several contexts are nobody's that is known. */
TS_SHARED int ts_python_buffer(struct ts_thread *thread, __u64 transport, __s32 fd)
{
	struct ts_buffered fresh = {};
	struct ts_buffered *buffered;
	struct ts_buffered_key key = {.fd = fd};

	if (!thread)
		return 0;
	if (thread->python_fresh)
		ts_python_settle(thread, bpf_ktime_get_ns());
	key.pid = thread->pid;
	fresh.name = fresh.context = ts_python_context(thread);
	buffered = bpf_map_lookup_elem(&buffered_writes, &key);
	if (buffered) {
		if (buffered->context != fresh.context)
			buffered->name |= TS_CONTEXT_UNSURE;
		return 0;
	}
	if (fresh.context && !(fresh.context & TS_CONTEXT_UNSURE)) {
		ts_tell_lineage(key.pid, transport, fresh.context, bpf_ktime_get_ns());
		fresh.name = transport;
	}
	bpf_map_update_elem(&buffered_writes, &key, &fresh, BPF_ANY);
	return 0;
}

/*
 * The context of a write by the running thread, where it was not noted or transports send later. `whole`: all that it
 * was to send was sent.
 */
TS_SHARED __u64 ts_python_context_of_write(struct ts_thread *thread, __s32 fd, bool whole)
{
	struct ts_buffered_key key = {.fd = fd};
	const struct ts_buffered *buffered;
	struct ts_python *python;
	__u64 name;

	if (!thread)
		return 0;
	key.pid = thread->pid;
	python = ts_python_of(thread);
	if (!python)
		return 0;
	if (python->buffers) {
		buffered = bpf_map_lookup_elem(&buffered_writes, &key);
		if (buffered) {
			name = buffered->name;
			if (whole)
				bpf_map_delete_elem(&buffered_writes, &key);
			return name;
		}
	}
	return ts_python_context_with(thread, python);
}

static __always_inline void ts_python_closed(__u32 pid, __s32 fd)
{
	struct ts_buffered_key key = {.pid = pid, .fd = fd};

	if (ts_python_met)
		bpf_map_delete_elem(&buffered_writes, &key);
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
