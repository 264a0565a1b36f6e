// SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause)
/* When target threads are off the CPU, why, and who ended it. One record per time off, written when it is over. */
#include "off_cpu.h"

#define TASK_INTERRUPTIBLE 1
#define TASK_UNINTERRUPTIBLE 2
#define TASK_WAKING 0x200 /* on kernels before 5.18: the sleeper is being woken already */

const volatile bool ts_switch_has_state = false;

static __always_inline __u8 off_state(bool preempted, __u32 state)
{
	if (preempted || !state)
		return TS_OFF_PREEMPTED;
	if (state & (TASK_INTERRUPTIBLE | TASK_WAKING))
		return TS_OFF_INTERRUPTIBLE;
	if (state & TASK_UNINTERRUPTIBLE)
		return TS_OFF_UNINTERRUPTIBLE;
	return TS_OFF_OTHER;
}

static __always_inline void off_cpu(struct ts_thread *thread, struct task_struct *task, bool preempted, __u32 state,
				    const bool btf)
{
	thread->off = bpf_ktime_get_ns();
	thread->off_state = off_state(preempted, state);
	if (btf)
		thread->off_flags = BPF_CORE_READ_BITFIELD(task, in_iowait) ? TS_OFF_IOWAIT : 0;
	else
		thread->off_flags = BPF_CORE_READ_BITFIELD_PROBED(task, in_iowait) ? TS_OFF_IOWAIT : 0;
}

static __always_inline int on_switch(bool preempted, struct task_struct *prev, struct task_struct *next,
				     unsigned long long *ctx, const bool btf)
{
	struct ts_thread *thread = ts_thread_of(prev, btf);

	if (thread)
		off_cpu(thread, prev, preempted, ts_switch_has_state ? (__u32)ctx[3] : ts_task_state(prev), btf);
	thread = ts_thread_of(next, btf);
	if (thread && thread->off)
		ts_back_on_cpu(thread, TS_GET(btf, next, pid), bpf_ktime_get_ns());
	return 0;
}

static __always_inline int on_waking(struct task_struct *task, const bool btf)
{
	struct ts_thread *thread = ts_thread_of(task, btf);
	struct ts_thread *waker;

	if (!thread)
		return 0;
	waker = ts_thread_of_current(btf);
	thread->woken = bpf_ktime_get_ns();
	thread->waker_tid = (__u32)bpf_get_current_pid_tgid();
	thread->waker_syscall = waker ? waker->syscall : -1;
	return 0;
}

/* A new thread's first wait for a CPU begins here. */
static __always_inline int on_wakeup_new(struct task_struct *task, const bool btf)
{
	struct ts_thread *thread = ts_thread_of(task, btf);

	if (!thread)
		return 0;
	thread->off = bpf_ktime_get_ns();
	thread->off_state = TS_OFF_PREEMPTED;
	return 0;
}

TS_PROBE(sched_switch, on_switch, (bool)ctx[0], (struct task_struct *)ctx[1], (struct task_struct *)ctx[2], ctx)
TS_PROBE(sched_waking, on_waking, (struct task_struct *)ctx[0])
TS_PROBE(sched_wakeup_new, on_wakeup_new, (struct task_struct *)ctx[0])
