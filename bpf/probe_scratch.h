/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
/*
 * Memory in which a uprobe puts a record of variable size together. A uprobe may be preempted, by another one on the
 * same CPU too, so it is taken and given back, unlike that of the system calls.
 */
#ifndef TIMESINK_PROBE_SCRATCH_H
#define TIMESINK_PROBE_SCRATCH_H

#include "payload.h"
#include "probe.h"

#define TS_PROBE_SCRATCHES 2 /* per CPU: one probe interrupted within its few microseconds, and the next */
#define TS_PROBE_RECORD_MAX (sizeof(struct ts_plaintext) + TS_HEAD_MAX + TS_TAIL_MAX + 8)

struct ts_probe_scratch {
	__u32 taken;
	__u32 reserved;
	union {
		__u8 record[TS_PROBE_RECORD_MAX +
			    TS_HEAD_MAX]; /* the slack lets the verifier bound each copy by itself */
		struct ts_look look;
	};
};

/* live/ sets the number of entries: TS_PROBE_SCRATCHES for each CPU. */
struct ts_probe_scratches {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TS_PROBE_SCRATCHES);
	__type(key, __u32);
	__type(value, struct ts_probe_scratch);
};
struct ts_probe_scratches probe_scratches SEC(".maps") __weak;

/* NULL: none is free. To be given back by taken = 0. */
static __always_inline struct ts_probe_scratch *ts_take_scratch(void)
{
	__u32 index = bpf_get_smp_processor_id() * TS_PROBE_SCRATCHES;

	for (__u32 i = 0; i < TS_PROBE_SCRATCHES; i++, index++) {
		struct ts_probe_scratch *scratch = bpf_map_lookup_elem(&probe_scratches, &index);

		if (scratch && !__sync_lock_test_and_set(&scratch->taken, 1))
			return scratch;
	}
	return NULL;
}

/* For a record that is about to be written at `now`; NULL: it counts as lost. */
static __always_inline struct ts_probe_scratch *ts_scratch_or_loss(struct ts_cpu *cpu, __u64 now)
{
	struct ts_probe_scratch *scratch = ts_take_scratch();

	if (scratch && (!cpu->pending || ts_report_loss(now)))
		return scratch;
	ts_count_loss(cpu, now);
	if (scratch)
		scratch->taken = 0;
	return NULL;
}

#endif
