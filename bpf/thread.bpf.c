// SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause)
/* Which threads are targets': fork, exec, exit. Whatever a target forks is a target from its first instruction. */
#include "cpython.h"
#include "golang.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

__u64 ts_threads_missed = 0;

static __always_inline void emit_task(struct task_struct *task, __u8 operation, __u32 parent_pid, __u32 parent_tid,
				      const bool btf)
{
	struct ts_task *out;

	out = ts_reserve(TS_EVENT_TASK, sizeof(*out), TS_GET(btf, task, pid), bpf_ktime_get_ns());
	if (!out)
		return;
	out->pid = TS_GET(btf, task, tgid);
	out->parent_pid = parent_pid;
	out->parent_tid = parent_tid;
	out->operation = operation;
	__builtin_memset(out->reserved, 0, sizeof(out->reserved));
	BPF_CORE_READ_INTO(&out->comm, task, comm);
	ts_submit(out);
}

static __always_inline int on_fork(struct task_struct *parent, struct task_struct *child, const bool btf)
{
	struct ts_thread *made = NULL;
	__u32 pid, tid;

	if (!ts_thread_of(parent, btf))
		return 0;
	pid = TS_GET(btf, child, tgid);
	tid = TS_GET(btf, child, pid);
	if (btf) {
		made = bpf_task_storage_get(&thread_storage, child, (void *)&ts_blank_thread,
					    BPF_LOCAL_STORAGE_GET_F_CREATE);
	} else if (!bpf_map_update_elem(&threads_by_tid, &tid, &ts_blank_thread, BPF_ANY)) {
		made = bpf_map_lookup_elem(&threads_by_tid, &tid);
	}
	if (made) {
		made->since = bpf_ktime_get_ns();
		made->pid = pid;
	} else {
		__sync_fetch_and_add(&ts_threads_missed, 1);
	}
	if (pid == tid) {
		__u32 yes = 1;

		bpf_map_update_elem(&target_pids, &pid, &yes, BPF_ANY);
		ts_python_forked(TS_GET(btf, parent, tgid), pid);
	}
	emit_task(child, TS_TASK_FORK, TS_GET(btf, parent, tgid), TS_GET(btf, parent, pid), btf);
	return 0;
}

/* A thread other than the leader that calls execve takes over the leader's id; storage goes with it, the hash does not.
 */
static __always_inline void follow_id(struct task_struct *task, __u32 old_tid)
{
	struct ts_thread *before = bpf_map_lookup_elem(&threads_by_tid, &old_tid);
	__u32 tid = BPF_CORE_READ(task, pid);

	if (!before || tid == old_tid)
		return;
	bpf_map_update_elem(&threads_by_tid, &tid, before, BPF_ANY);
	bpf_map_delete_elem(&threads_by_tid, &old_tid);
}

static __always_inline int on_exec(struct task_struct *task, __u32 old_tid, const bool btf)
{
	struct ts_thread *thread;

	if (!btf)
		follow_id(task, old_tid);
	thread = ts_thread_of(task, btf);
	if (!thread)
		return 0;
	thread->go_checked = 0;
	thread->python.epoch = 0;
	ts_python_gone(TS_GET(btf, task, tgid));
	ts_go_gone(TS_GET(btf, task, tgid));
	emit_task(task, TS_TASK_EXEC, 0, 0, btf);
	return 0;
}

static __always_inline int on_exit(struct task_struct *task, const bool btf)
{
	__u32 pid, tid;

	if (!ts_thread_of(task, btf))
		return 0;
	emit_task(task, TS_TASK_EXIT, 0, 0, btf);
	pid = TS_GET(btf, task, tgid);
	tid = TS_GET(btf, task, pid);
	if (!btf)
		bpf_map_delete_elem(&threads_by_tid, &tid);
	if (pid == tid) {
		bpf_map_delete_elem(&target_pids, &pid);
		ts_python_gone(pid);
		ts_go_gone(pid);
	}
	return 0;
}

TS_PROBE(sched_process_fork, on_fork, (struct task_struct *)ctx[0], (struct task_struct *)ctx[1])
TS_PROBE(sched_process_exec, on_exec, (struct task_struct *)ctx[0], (__u32)ctx[1])
TS_PROBE(sched_process_exit, on_exit, (struct task_struct *)ctx[0])
