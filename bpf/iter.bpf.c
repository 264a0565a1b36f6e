// SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause)
/* What was there before the attach: the targets' threads, and the sockets that they hold. Run by live/ while it
 * attaches. */
#include "descriptor.h"
#include "socket.h"
#include "thread.h"

const volatile bool ts_threads_by_id = false; /* raw_tp is in use */

__u64 ts_threads_marked = 0;
__u32 ts_listing_listeners =
	0; /* first pass over the descriptors: a connection's role depends on all listening sockets */

/* A process is a target's when it is listed or its parent is a target's; what it forks later, the fork probe sees. */
static __always_inline bool is_target(struct task_struct *task, __u32 pid)
{
	__u32 parent, yes = 1;

	if (bpf_map_lookup_elem(&target_pids, &pid))
		return true;
	parent = BPF_CORE_READ(task, real_parent, tgid);
	if (!bpf_map_lookup_elem(&target_pids, &parent))
		return false;
	bpf_map_update_elem(&target_pids, &pid, &yes, BPF_ANY);
	return true;
}

SEC("iter/task")
int mark_threads(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct ts_thread fresh = {.syscall = -1, .waker_syscall = -1, .fd = -1};
	__u32 tid;

	if (!task || !is_target(task, task->tgid))
		return 0;
	tid = task->pid;
	if (ts_threads_by_id ? bpf_map_lookup_elem(&threads_by_tid, &tid)
			     : bpf_task_storage_get(&thread_storage, task, NULL, 0))
		return 0;
	fresh.since = bpf_ktime_get_ns();
	fresh.pid = task->tgid;
	fresh.minor_faults = task->min_flt;
	fresh.major_faults = task->maj_flt;
	/* Asleep already: its time off the CPU begins, for us, now. If it is just being switched in, the next
	 * switch-out mends it. */
	if (!task->on_cpu) {
		fresh.off = fresh.since;
		fresh.off_state = ts_task_state(task) & 1 ? TS_OFF_INTERRUPTIBLE : TS_OFF_OTHER;
		if (ts_task_state(task) & 2)
			fresh.off_state = TS_OFF_UNINTERRUPTIBLE;
		if (!ts_task_state(task))
			fresh.off_state = TS_OFF_PREEMPTED;
	}
	if (ts_threads_by_id ? bpf_map_update_elem(&threads_by_tid, &tid, &fresh, BPF_NOEXIST) != 0
			     : !bpf_task_storage_get(&thread_storage, task, &fresh, BPF_LOCAL_STORAGE_GET_F_CREATE))
		__sync_fetch_and_add(&ts_threads_missed, 1);
	else
		__sync_fetch_and_add(&ts_threads_marked, 1);
	return 0;
}

/* Written to the iterator's file, not to the ring: however many sockets there are, none is lost. head.sequence is set
 * by live/. */
static __always_inline void tell(struct seq_file *seq, const struct sock *sk, struct ts_known *known, __u64 unread,
				 __u64 now)
{
	struct ts_socket out = {};

	if (__sync_lock_test_and_set(&known->announced, 1))
		return;
	ts_describe(&out, sk, known);
	out.unread = unread;
	out.head.kind = TS_EVENT_SOCKET;
	out.head.size = sizeof(out);
	out.head.cpu = TS_CPU_USERSPACE;
	out.head.tid = known->tid;
	out.head.time = now;
	if (bpf_seq_write(seq, &out, sizeof(out)))
		known->announced = 0; /* the buffer is full: the kernel shows this descriptor again in the next read */
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
		known = ts_add_socket(sk, &sight);
	}
	if (!known || known->announced)
		return 0;
	if (known->tcp && !listens)
		ts_read_positions(sk, &positions);
	tell(ctx->meta->seq, sk, known, positions.unread, bpf_ktime_get_ns());
	return 0;
}
