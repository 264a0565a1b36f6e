/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
/* What is known of a target's thread. A thread is a target's if and only if it has one of these. */
#ifndef TIMESINK_THREAD_H
#define TIMESINK_THREAD_H

#include "probe.h"

/*
 * What a call that sends something needs of its process's struct ts_python, and the tasks whose contexts were met last
 * on this thread: so that it takes two reads of the target's memory and no search. Whatever it says of a task is
 * checked there.
 */
struct ts_python_task {
	__u64 context; /* 0: none */
	__u64 task;
};
#define TS_PYTHON_TASKS_BITS 5
struct ts_python_view {
	__u64 context_type;
	__u32 epoch; /* ts_python_met when it was made; 0: there is none */
	__u32 thread_id;
	__u32 context;
	__u32 task_context; /* 0: not known yet */
	__u32 object_type;
	__u32 buffers;
	struct ts_python_task tasks[1 << TS_PYTHON_TASKS_BITS]; /* each at a place that its address names */
};

struct ts_thread {
	__u64 since;   /* a target since, ns */
	__u64 entered; /* the call in flight began; 0: none, or it was in flight when the thread became a target */
	__u64 off;     /* switched out at; 0: on the CPU */
	__u64 woken;   /* last woken; 0: not since it was last switched in */
	__u64 held;    /* from entry to exit: the id of the socket being closed, or mm->brk before the call */
	__u32 pid;
	__u32 sequence; /* thread_sequence of the next record */
	__u32 waker_tid;
	__u32 minor_faults; /* as of the last TS_EVENT_CALL */
	__u32 major_faults;
	__s32 fd;
	__s16 waker_syscall;
	__s16 syscall; /* in flight; -1: none */
	__u16 used;    /* classes of counts that are not zero, by bit */
	__u8 off_state;
	__u8 off_flags;
	__u8 python_misses;  /* looked for python_state in vain so often, in a row */
	__u8 python_strange; /* wrote in contexts of no known task so often; 255: it makes tasks */
	__u8 python_fresh;   /* the one made last was not told yet: it is python_task */
	__u8 python_puts;    /* puts work into an executor's queue at this moment: it is in put_items */
	__u8 python_takes;   /* took work, seen to do so */
	__u8 python_offered; /* was woken for work that it was not seen to take: it is in offered_items */
	__u8 python_looked;  /* so often for an item that it holds, before it was seen to take one */
	__u8 go_checked;     /* Go's runtime takes this thread for the one that it is */
	__u64 python_state;  /* this thread's PyThreadState when last looked for; 0: none found */
	__u64 python_task;   /* the asyncio task made last, and the context that it was made in */
	__u64 python_task_parent;
	__u64 python_work; /* the executor's work item that it took last; 0: none that is known */
	__u64 tls_library; /* inside SSL_read: its object and buffer, and where SSL_read_ex puts the length; else 0 */
	__u64 tls_buffer;
	__u64 tls_length_at;
	__u64 engine_stack; /* inside a call into SQLite: where its return address lies; 0: in none */
	__u64 engine_entered;
	__u64 engine_object; /* what it is about: the statement that is stepped, the database */
	__u64 engine_text;   /* of a preparation or an opening: its arguments */
	__u64 engine_out;
	__u64 engine_tail;
	__s32 engine_length;
	__u32 engine_epoch; /* of the process then */
	struct ts_call_count counts[TS_CLASS_COUNT];
	struct ts_python_view python;
};

/* What a thread begins with; on a program's stack there is no room for one. */
static const struct ts_thread ts_blank_thread = {.syscall = -1, .waker_syscall = -1, .fd = -1};

struct ts_thread_storage {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct ts_thread);
};
struct ts_thread_storage thread_storage SEC(".maps");

/* For raw_tp, whose arguments task storage does not take. live/ shrinks it to one entry where it is not used. */
struct ts_threads_by_tid {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct ts_thread);
};
struct ts_threads_by_tid threads_by_tid SEC(".maps");

/* Thread group ids of the targets: what the iterators go by. */
struct ts_target_pids {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u32);
};
struct ts_target_pids target_pids SEC(".maps");

extern __u64 ts_threads_missed; /* threads that should be targets' but for which there was no memory */

/* By one load, without a call: a thread without any local storage is no target's. */
static __always_inline bool ts_may_be_target(struct task_struct *task, const bool btf)
{
	return !btf || task->bpf_storage;
}

/* The first instructions of every probe, run for every thread of the host. */
static __always_inline struct ts_thread *ts_thread_of(struct task_struct *task, const bool btf)
{
	__u32 tid;

	if (btf) {
		if (!ts_may_be_target(task, btf))
			return NULL;
		return bpf_task_storage_get(&thread_storage, task, NULL, 0);
	}
	tid = BPF_CORE_READ(task, pid);
	return bpf_map_lookup_elem(&threads_by_tid, &tid);
}

static __always_inline struct ts_thread *ts_thread_of_current(const bool btf)
{
	__u32 tid;

	if (btf)
		return ts_thread_of(bpf_get_current_task_btf(), true);
	tid = (__u32)bpf_get_current_pid_tgid();
	return bpf_map_lookup_elem(&threads_by_tid, &tid);
}

static __always_inline struct task_struct *ts_current(const bool btf)
{
	return btf ? bpf_get_current_task_btf() : (struct task_struct *)bpf_get_current_task();
}

#endif
