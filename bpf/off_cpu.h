/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
/* The end of a target thread's time off the CPU. */
#ifndef TIMESINK_OFF_CPU_H
#define TIMESINK_OFF_CPU_H

#include "ring.h"
#include "thread.h"

TS_SHARED int ts_back_on_cpu(struct ts_thread *thread, __u32 tid, __u64 now)
{
	__u64 off, woken;
	struct ts_off_cpu *out;
	__u32 sequence;

	if (!thread)
		return 0;
	off = thread->off;
	woken = thread->woken;
	sequence = thread->sequence++;
	thread->off = 0;
	thread->woken = 0;
	out = ts_reserve(TS_EVENT_OFF_CPU, sizeof(*out), tid, now);
	if (!out)
		return 0;
	/* A waker may come before the switch-out it ends: then the thread was never really blocked. No waker seen:
	 * until now. */
	if (thread->off_state == TS_OFF_PREEMPTED || (woken && woken < off))
		woken = off;
	else if (!woken || woken > now)
		woken = now;
	out->off = off;
	out->woken = woken;
	out->pid = thread->pid;
	out->thread_sequence = sequence;
	out->waker_tid = thread->off_state == TS_OFF_PREEMPTED ? 0 : thread->waker_tid;
	out->waker_syscall = thread->off_state == TS_OFF_PREEMPTED ? -1 : thread->waker_syscall;
	out->syscall = thread->syscall;
	out->fd = thread->fd;
	out->state = thread->off_state;
	out->flags = thread->off_flags;
	out->reserved = 0;
	thread->waker_tid = 0;
	thread->waker_syscall = -1;
	ts_submit(out);
	return 0;
}

/*
 * It enters or leaves a system call, so it is on a CPU, whatever is known of it: a switch that no tracepoint told is
 * taken to be now, at most the time since its return too late. (Seen: switches from threads of a virtual machine's own
 * agent.)
 */
static __always_inline void ts_runs(struct ts_thread *thread)
{
	if (thread->off)
		ts_back_on_cpu(thread, (__u32)bpf_get_current_pid_tgid(), bpf_ktime_get_ns());
}

#endif
