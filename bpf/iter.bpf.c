// SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause)
/* What was there before the attach: the targets' threads, and the sockets that they hold. Run by live/ while it
 * attaches. */
#include "descriptor.h"
#include "thread.h"
#include "unix_listeners.h"

const volatile bool ts_threads_by_id = false; /* raw_tp is in use */

__u64 ts_threads_marked = 0;
__u32 ts_listing_listeners =
	0; /* first pass over the descriptors: a connection's role depends on all listening sockets */

__u32 ts_unmarking = 0; /* the next pass over the threads takes back what all before it did */

const volatile __u32 ts_pid_namespace = 0; /* timesink's own, by inode number: the ids in selected_pids are of it */

/* Processes that the user selected, by their id in timesink's pid namespace. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u32);
} selected_pids SEC(".maps");

#define TASK_INTERRUPTIBLE 1
#define TASK_UNINTERRUPTIBLE 2
#define MAX_PID_NS_LEVEL 32

/* The id of a process where timesink runs; 0: it cannot be seen from there. */
static __noinline __u32 local_pid(struct task_struct *task)
{
	const struct pid *pid = BPF_CORE_READ(task, group_leader, thread_pid);
	__u32 level = BPF_CORE_READ(pid, level);

	for (__u32 i = 0; i <= MAX_PID_NS_LEVEL; i++) {
		const struct pid_namespace *space;

		if (i > level)
			break;
		bpf_core_read(&space, sizeof(space), &pid->numbers[i].ns);
		if (BPF_CORE_READ(space, ns.inum) == ts_pid_namespace) {
			__u32 number;

			bpf_core_read(&number, sizeof(number), &pid->numbers[i].nr);
			return number;
		}
	}
	return 0;
}

/* A process is a target's when it is selected or its parent is a target's; what it forks later, the fork probe sees. */
static __always_inline bool is_target(__u32 pid, __u32 parent, __u32 local)
{
	__u32 yes = 1;

	if (bpf_map_lookup_elem(&target_pids, &pid))
		return true;
	if (!bpf_map_lookup_elem(&target_pids, &parent) && !bpf_map_lookup_elem(&selected_pids, &local))
		return false;
	bpf_map_update_elem(&target_pids, &pid, &yes, BPF_ANY);
	return true;
}

/* Asleep already: its time off the CPU begins, for us, now. If it is just being switched in, the next switch-out mends
 * that. */
static __always_inline void set_asleep(struct ts_thread *thread, __u32 state)
{
	thread->off = thread->since;
	thread->off_state = !state			   ? TS_OFF_PREEMPTED
			    : state & TASK_INTERRUPTIBLE   ? TS_OFF_INTERRUPTIBLE
			    : state & TASK_UNINTERRUPTIBLE ? TS_OFF_UNINTERRUPTIBLE
							   : TS_OFF_OTHER;
}

/* Where the iterator, which one thread runs, makes the next one: it would fill a program's stack. */
struct ts_fresh_thread {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ts_thread);
};
struct ts_fresh_thread fresh_thread SEC(".maps");

static __always_inline void mark(struct task_struct *task, __u32 tid)
{
	__u32 first = 0;
	struct ts_thread *fresh = bpf_map_lookup_elem(&fresh_thread, &first);

	if (!fresh || (ts_threads_by_id ? bpf_map_lookup_elem(&threads_by_tid, &tid)
					: bpf_task_storage_get(&thread_storage, task, NULL, 0)))
		return;
	/* By the helper: clang has no loop for what is larger than 1 KiB. */
	bpf_probe_read_kernel(fresh, sizeof(*fresh), &ts_blank_thread);
	fresh->since = bpf_ktime_get_ns();
	fresh->pid = task->tgid;
	fresh->minor_faults = task->min_flt;
	fresh->major_faults = task->maj_flt;
	if (!task->on_cpu)
		set_asleep(fresh, ts_task_state(task));
	if (ts_threads_by_id ? bpf_map_update_elem(&threads_by_tid, &tid, fresh, BPF_NOEXIST) != 0
			     : !bpf_task_storage_get(&thread_storage, task, fresh, BPF_LOCAL_STORAGE_GET_F_CREATE))
		__sync_fetch_and_add(&ts_threads_missed, 1);
	else
		__sync_fetch_and_add(&ts_threads_marked, 1);
}

SEC("iter/task")
int mark_threads(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct ts_listed_thread out = {};

	if (!task)
		return 0;
	if (ts_unmarking) {
		bpf_task_storage_delete(&thread_storage, task);
		return 0;
	}
	out.pid = task->tgid;
	out.tid = task->pid;
	out.parent = BPF_CORE_READ(task, real_parent, tgid);
	out.local_pid = local_pid(task);
	if (!is_target(out.pid, out.parent, out.local_pid))
		return 0;
	mark(task, out.tid);
	bpf_seq_write(ctx->meta->seq, &out, sizeof(out));
	return 0;
}

/* Written to the iterator's file, not to the ring: however many sockets there are, none is lost. head.sequence is set
 * by live/. */
static __noinline int tell(struct seq_file *seq, const struct sock *sk, struct ts_known *known, __u64 unread, __u64 now)
{
	struct ts_socket out = {};

	if (!known || __sync_lock_test_and_set(&known->announced, 1))
		return 0;
	ts_describe(&out, sk, known);
	out.unread = unread;
	out.head.kind = TS_EVENT_SOCKET;
	out.head.size = sizeof(out);
	out.head.cpu = TS_CPU_USERSPACE;
	out.head.tid = known->tid;
	out.head.time = now;
	if (bpf_seq_write(seq, &out, sizeof(out)))
		known->announced = 0; /* the buffer is full: the kernel shows this descriptor again in the next read */
	return 0;
}

SEC("iter/task_file")
int list_sockets(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct ts_first_sight sight = {};
	struct ts_positions positions = {};
	struct ts_descriptor found;
	const struct sock *sk;
	struct ts_known *known;
	__u32 pid;
	bool listens;

	if (!task || !file)
		return 0;
	pid = task->tgid;
	if (!bpf_map_lookup_elem(&target_pids, &pid))
		return 0;
	found = ts_socket_of_file(file);
	sk = found.sk;
	if (!sk || !ts_is_recorded(sk))
		return 0;
	listens = BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN;
	if (listens != (ts_listing_listeners != 0))
		return 0;
	known = ts_find_socket(sk, found.inode);
	if (!known) {
		bool tcp = ts_is_tcp(sk);

		if (tcp && BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_CLOSE)
			return 0; /* not connected yet, or no longer */
		sight.inode = found.inode;
		sight.time = bpf_ktime_get_ns();
		sight.pid = pid;
		sight.tid = task->pid;
		sight.fd = ctx->fd;
		sight.origin = listens ? TS_SOCKET_LISTEN : TS_SOCKET_EXISTING;
		sight.is_server = listens ? 1 : tcp ? ts_has_listener(sk) : 2;
		if (listens && tcp)
			ts_add_listener(sk);
		else if (listens && ts_is_unix(sk))
			ts_add_unix_listener(sk);
		known = ts_add_socket(sk, &sight);
	}
	if (!known || known->announced)
		return 0;
	if (known->tcp && !listens)
		ts_read_positions(sk, &positions);
	tell(ctx->meta->seq, sk, known, positions.unread, bpf_ktime_get_ns());
	return 0;
}
