// SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause)
/*
 * Where contexts come from: probes on the return of the functions of CPython that make them, attached by live/ to each
 * process that runs it.
 */
#include "cpython.h"
#include "ring.h"

__u32 ts_python_met = 0;

static __always_inline int on_made(struct pt_regs *regs, bool copies_current, const bool btf)
{
	struct ts_thread *thread = ts_thread_of_current(btf);
	__u64 child = BPF_CORE_READ(regs, ax);
	struct ts_lineage *out;

	if (!thread || !child)
		return 0;
	out = ts_reserve(TS_EVENT_LINEAGE, sizeof(*out), (__u32)bpf_get_current_pid_tgid(), bpf_ktime_get_ns());
	if (!out)
		return 0;
	out->child = child;
	out->parent = copies_current ? ts_python_context(thread) : 0;
	out->pid = thread->pid;
	out->reserved = 0;
	ts_submit(out);
	return 0;
}

/* PyContext_CopyCurrent */
SEC("uretprobe") int on_context_copied(struct pt_regs *regs)
{
	return on_made(regs, true, true);
}
SEC("uretprobe") int on_context_copied_raw(struct pt_regs *regs)
{
	return on_made(regs, true, false);
}

/* Context(), Context.copy() */
SEC("uretprobe") int on_context_made(struct pt_regs *regs)
{
	return on_made(regs, false, true);
}
SEC("uretprobe") int on_context_made_raw(struct pt_regs *regs)
{
	return on_made(regs, false, false);
}
