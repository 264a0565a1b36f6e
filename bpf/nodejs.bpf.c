// SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause)
/*
 * Node.js: timers and immediates run in phases of the event loop that no system call shows. Two functions tell them;
 * both are rare: one when timers are due, the other for the first immediate of a turn.
 */
#include "probe.h"

#include "ring.h"
#include "thread.h"

#include "timesink/abi/events.h"

static __always_inline int on_loop_phase(__u16 phase, const bool btf)
{
	struct ts_thread *thread = ts_thread_of_current(btf);
	struct ts_loop_phase *out;
	__u32 polls;

	if (!thread)
		return 0;
	out = ts_reserve(TS_EVENT_LOOP_PHASE, sizeof(*out), (__u32)bpf_get_current_pid_tgid(), bpf_ktime_get_ns());
	if (!out)
		return 0;
	out->pid = thread->pid;
	out->phase = phase;
	polls = thread->counts[TS_CLASS_POLL].calls;
	out->polls = polls < 0xffff ? polls : 0xffff;
	ts_submit(out);
	return 0;
}

/* node::Environment::RunTimers(uv_timer_t *) */
SEC("uprobe") int on_timers(struct pt_regs *regs)
{
	(void)regs;
	return on_loop_phase(TS_LOOP_TIMERS, true);
}

SEC("uprobe") int on_timers_raw(struct pt_regs *regs)
{
	(void)regs;
	return on_loop_phase(TS_LOOP_TIMERS, false);
}

/* node::Environment::ToggleImmediateRef(bool) */
SEC("uprobe") int on_immediate(struct pt_regs *regs)
{
	return regs->si & 0xff ? on_loop_phase(TS_LOOP_IMMEDIATE, true) : 0;
}

SEC("uprobe") int on_immediate_raw(struct pt_regs *regs)
{
	return regs->si & 0xff ? on_loop_phase(TS_LOOP_IMMEDIATE, false) : 0;
}
