/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
/*
 * The goroutine that runs on a thread of a Go program, read from the target's memory: g is in the thread's local
 * storage, and its number (goid) is never given twice. During a system call the runtime leaves it there.
 *
 * Nothing that is read is trusted beyond what is checked: before a thread's g is believed, the runtime's own record of
 * that thread (m.procid) must be this thread's id. Wrong offsets, and threads that Go knows nothing of, so yield
 * nothing.
 */
#ifndef TIMESINK_GOLANG_H
#define TIMESINK_GOLANG_H

#include "cpython.h"

/* Written by live/ when it has found its way around a process. A forked process is unknown until it is looked at. */
struct ts_go_processes {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct ts_go);
};
struct ts_go_processes go_processes SEC(".maps") __weak;

struct ts_goroutine_key {
	__u64 goroutine;
	__u32 pid;
	__u32 reserved;
};

/*
 * By the address of its g: a goroutine was made there; 1: it was told under which number it goes. The runtime uses a g
 * again when its goroutine has ended. The oldest give way, which leaves their descent unknown.
 */
struct ts_go_births {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct ts_goroutine_key);
	__type(value, __u8);
};
struct ts_go_births go_births SEC(".maps") __weak;

/* By number: goroutines that read from accepted connections. Kept only until others were seen to send. */
struct ts_go_serving {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct ts_goroutine_key);
	__type(value, __u8);
};
struct ts_go_serving go_serving SEC(".maps") __weak;

/* By socket: the goroutine on whose behalf net/http's client writes there, by name. */
struct ts_go_requests {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, __u64);
};
struct ts_go_requests go_requests SEC(".maps") __weak;

extern __u32 ts_go_met; /* 0: no target runs Go */

/* The id that a task has in its own pid namespace. */
static __always_inline __u32 ts_innermost_tid(void)
{
	const struct task_struct *task = (const struct task_struct *)bpf_get_current_task();
	const struct pid *pid = BPF_CORE_READ(task, thread_pid);
	__u32 level = BPF_CORE_READ(pid, level);
	__u32 number = 0;

	bpf_core_read(&number, sizeof(number), &pid->numbers[level].nr);
	return number;
}

static __always_inline __u32 ts_read_half(__u64 address)
{
	__u32 half = 0;

	bpf_probe_read_user(&half, sizeof(half), (void *)address);
	return half;
}

/*
 * The g of the goroutine that the running thread works for, also while it is on one of its own stacks, and its number;
 * 0: none.
 */
static __always_inline __u64 ts_go_current(struct ts_thread *thread, const struct ts_go *go, __u64 *number)
{
	__u64 g = ts_read_word(TS_LOAD(bpf_get_current_task_btf(), thread.fsbase) + (__s64)go->slot);
	__u64 m;

	*number = 0;
	if (!g)
		return 0;
	if (thread->go_checked) {
		*number = ts_read_word(g + go->number);
		if (*number)
			return g;
	}
	/* The thread's own g0 and gsignal have no number. */
	m = ts_read_word(g + go->thread);
	if (!thread->go_checked) {
		if (!m || ts_read_word(m + go->thread_id) != ts_innermost_tid())
			return 0;
		thread->go_checked = 1;
		*number = ts_read_word(g + go->number);
		if (*number)
			return g;
	}
	g = ts_read_word(m + go->current);
	*number = g ? ts_read_word(g + go->number) : 0;
	return g;
}

static __always_inline void ts_tell_goroutine(__u32 pid, __u64 child, __u64 parent, __u32 start, __u64 when)
{
	struct ts_lineage *out = ts_reserve(TS_EVENT_LINEAGE, sizeof(*out), (__u32)bpf_get_current_pid_tgid(), when);

	if (!out)
		return;
	out->child = child;
	out->parent = parent;
	out->pid = pid;
	out->start = start;
	ts_submit(out);
}

/* In order of time it must come before what the goroutine does: a write stands at its entry. */
static __always_inline void ts_go_name(__u32 pid, __u64 g, __u64 name, __u64 when)
{
	struct ts_goroutine_key key = {.goroutine = g, .pid = pid};
	__u8 *told = bpf_map_lookup_elem(&go_births, &key);

	if (told && !*told) {
		*told = 1;
		ts_tell_goroutine(pid, name, TS_CONTEXT_BIRTH | g, 0, when);
	}
}

/* The name of the running thread's goroutine; 0: none, or not known. `when`: the call began, ns. */
TS_SHARED __u64 ts_go_context(struct ts_thread *thread, __u64 when)
{
	const struct ts_go *go;
	__u64 g, number, name;
	__u32 pid;

	if (!thread || !ts_go_met)
		return 0;
	pid = thread->pid;
	go = bpf_map_lookup_elem(&go_processes, &pid);
	if (!go)
		return 0;
	g = ts_go_current(thread, go, &number);
	if (!number)
		return 0;
	name = (number & (TS_CONTEXT_BIRTH - 1)) | TS_CONTEXT_GOROUTINE;
	if (go->births)
		ts_go_name(thread->pid, g, name, when);
	return name;
}

struct ts_go_call {
	__u64 entered;
	__u64 socket;
	__u8 operation;
	__u8 serves; /* on the accepting end of a connection */
};

/*
 * Goroutines that read requests send on behalf of what they read. When others send as well, where these come from is
 * worth being told: counted here, acted upon by live/.
 */
static __always_inline void ts_go_notice(__u32 pid, __u64 name, const struct ts_go_call *call)
{
	struct ts_goroutine_key key = {.goroutine = name, .pid = pid};
	struct ts_go *go = bpf_map_lookup_elem(&go_processes, &pid);
	__u8 yes = 1;

	if (!go || go->strange >= TS_GO_STRANGE)
		return;
	if (call->serves) {
		__sync_fetch_and_add(&go->served, 1);
		if (call->operation == TS_OPERATION_READ && !bpf_map_lookup_elem(&go_serving, &key))
			bpf_map_update_elem(&go_serving, &key, &yes, BPF_ANY);
	} else if (call->operation == TS_OPERATION_WRITE && !bpf_map_lookup_elem(&go_serving, &key)) {
		__sync_fetch_and_add(&go->strange, 1);
	}
}

/* Of a call that ended: the goroutine for which it was made, by name; 0: none, or not known. */
TS_SHARED __u64 ts_go_context_of_call(struct ts_thread *thread, const struct ts_go_call *call)
{
	const __u64 *request;
	__u64 name, socket;

	if (!thread || !call)
		return 0;
	name = ts_go_context(thread, call->entered);
	if (!name)
		return 0;
	if (call->operation == TS_OPERATION_WRITE && !call->serves) {
		socket = call->socket;
		request = bpf_map_lookup_elem(&go_requests, &socket);
		if (request)
			return *request;
	}
	ts_go_notice(thread->pid, name, call);
	return name;
}

/* netFD: poll.FD, then family and type; poll.FD: fdMutex (16 bytes), then the descriptor. Unchanged from 1.17 to 1.26.
 */
struct ts_go_descriptor {
	__u64 state;
	__u64 semaphores;
	__u64 descriptor;
	__u64 rest_of_poll[4];
	__u64 family;
	__u64 type;
};

/* The descriptor of a net.Conn's TCP or unix connection, below TLS too; -1: it is something else. */
static __always_inline __s32 ts_go_descriptor_of(__u64 connection)
{
	struct ts_go_descriptor found = {};

	/* *net.TCPConn begins with a pointer to its netFD, *tls.Conn with the net.Conn below it: table, then object. */
	for (int i = 0; i < 2; i++) {
		if (!bpf_probe_read_user(&found, sizeof(found), (void *)ts_read_word(connection)) &&
		    (found.family == AF_INET || found.family == AF_INET6 || found.family == AF_UNIX) &&
		    found.type == SOCK_STREAM && found.descriptor <= 0x7fffffff)
			return found.descriptor;
		connection = ts_read_word(connection + 8);
	}
	return -1;
}

/* It has ended, or runs another program now. */
static __always_inline void ts_go_gone(__u32 pid)
{
	if (ts_go_met)
		bpf_map_delete_elem(&go_processes, &pid);
}

#endif
