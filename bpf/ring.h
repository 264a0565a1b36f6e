/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
/*
 * One ring buffer per CPU, no wake-ups, and an account of what did not fit: every attempt takes a sequence number, a
 * record that does not fit is counted, and the next one that fits is preceded by a TS_EVENT_LOSS. The counters of a CPU
 * are touched by threads, softirqs and hardirqs in turn; the atomic additions (5.12) are for these.
 */
#ifndef TIMESINK_RING_H
#define TIMESINK_RING_H

#include "probe.h"

#include "timesink/abi/attach.h"

struct ts_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536); /* a pattern; live/ makes the rings and sets their size */
};

struct ts_rings {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1); /* live/ sets it to the number of possible CPUs */
	__type(key, __u32);
	__array(values, struct ts_ring);
};
struct ts_rings rings SEC(".maps");

struct ts_cpus {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ts_cpu);
};
struct ts_cpus cpus SEC(".maps");

static __always_inline void *ts_ring_of(__u32 cpu)
{
	return bpf_map_lookup_elem(&rings, &cpu);
}

static __always_inline struct ts_cpu *ts_this_cpu(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cpus, &zero);
}

static __always_inline void ts_fill_head(struct ts_event_head *head, struct ts_cpu *cpu, __u16 kind, __u16 size,
					 __u32 tid, __u64 time)
{
	head->kind = kind;
	head->size = size;
	head->cpu = bpf_get_smp_processor_id();
	head->reserved = 0;
	head->sequence = __sync_fetch_and_add(&cpu->sequence, 1);
	head->tid = tid;
	head->time = time;
}

static __always_inline void ts_count_loss(struct ts_cpu *cpu, __u64 time)
{
	__sync_fetch_and_add(&cpu->sequence, 1);
	if (__sync_fetch_and_add(&cpu->pending, 1) == 0)
		cpu->first = time;
	cpu->last = time;
	__sync_fetch_and_add(&cpu->lost, 1);
}

/* Says what was lost. False while there is still no room: then the record at hand is lost too, so that the order
 * stands. */
TS_SHARED int ts_report_loss(__u64 time)
{
	struct ts_cpu *cpu = ts_this_cpu();
	void *ring = ts_ring_of(bpf_get_smp_processor_id());
	struct ts_loss *out;

	if (!cpu || !ring)
		return 0;
	out = bpf_ringbuf_reserve(ring, sizeof(*out), 0);
	if (!out)
		return 0;
	out->first = cpu->first;
	out->last = cpu->last;
	out->count = __sync_lock_test_and_set(&cpu->pending, 0);
	ts_fill_head(&out->head, cpu, TS_EVENT_LOSS, sizeof(*out), 0, time);
	bpf_ringbuf_submit(out, BPF_RB_NO_WAKEUP);
	return 1;
}

/* A record of constant size with its head filled in, or NULL and the loss counted. To be submitted with ts_submit. */
static __always_inline void *ts_reserve(__u16 kind, const __u16 size, __u32 tid, __u64 time)
{
	struct ts_cpu *cpu = ts_this_cpu();
	void *ring = ts_ring_of(bpf_get_smp_processor_id());
	void *out = NULL;

	if (!cpu || !ring)
		return NULL;
	if (!cpu->pending || ts_report_loss(time))
		out = bpf_ringbuf_reserve(ring, size, 0);
	if (!out) {
		ts_count_loss(cpu, time);
		return NULL;
	}
	ts_fill_head(out, cpu, kind, size, tid, time);
	return out;
}

static __always_inline void ts_submit(void *record)
{
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

#endif
