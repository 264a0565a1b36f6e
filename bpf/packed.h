/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
/*
 * Calls into which many small messages are packed: pipelines. Of any other large call the begin and the end say all
 * that is needed; of these each message in between is an exchange of its own, so more of them is captured, in pieces.
 */
#ifndef TIMESINK_PACKED_H
#define TIMESINK_PACKED_H

#include "call_record.h"
#include "pipeline.h"

/* Bytes [from, to) of what a call moved, whose first one is at position `begin` of its stream. */
struct ts_piece {
	__u64 now;
	__u64 entered;
	__u64 socket;
	__u64 begin;
	__u64 from;
	__u64 to;
	__u64 operation;
};

/* Writes a piece of what the call moved; returns its bytes, 0: no more can be written. */
__noinline __u32 ts_emit_piece(const struct ts_piece *piece)
{
	struct ts_scratch *scratch = ts_scratch_of_cpu();
	struct ts_cpu *cpu = ts_this_cpu();
	void *ring = ts_ring_of(bpf_get_smp_processor_id());
	__u32 size = sizeof(struct ts_payload), bytes;
	struct ts_payload *out;

	if (!piece || !scratch || !cpu || !ring || !ts_has_room(ring) || (cpu->pending && !ts_report_loss(piece->now)))
		return 0;
	bytes = ts_copy_range(size, piece->from, piece->to);
	if (!bytes)
		return 0;
	out = (struct ts_payload *)scratch->record;
	__builtin_memset(out, 0, sizeof(*out));
	out->entered = piece->entered;
	out->socket = piece->socket;
	out->position = piece->begin + piece->from;
	out->pid = bpf_get_current_pid_tgid() >> 32;
	out->bytes = bytes;
	out->operation = piece->operation;
	size += bytes;
	TS_OPAQUE(size);
	if (size > TS_RECORD_MAX - 8)
		return 0;
	*(__u64 *)(scratch->record + size) = 0;
	size = (size + 7) & ~7u;
	ts_fill_head(&out->head, cpu, TS_EVENT_PAYLOAD, size, (__u32)bpf_get_current_pid_tgid(), piece->now);
	TS_OPAQUE(size);
	if (size > TS_RECORD_MAX || bpf_ringbuf_output(ring, out, size, BPF_RB_NO_WAKEUP)) {
		__sync_fetch_and_add(&cpu->sequence, -1);
		ts_count_loss(cpu, piece->now);
		return 0;
	}
	return bytes;
}

/* Writes the bytes of the piece in as many as they need, as far as that is bounded. Global: verified once. */
__noinline int ts_emit_pieces(struct ts_piece *piece)
{
	__u64 end;

	if (!piece)
		return 0;
	end = piece->to;
	for (__u32 i = 0; i < TS_PIECES; i++) {
		__u32 bytes;

		if (piece->from >= end)
			break;
		piece->to = end - piece->from > TS_PIECE ? piece->from + TS_PIECE : end;
		bytes = ts_emit_piece(piece);
		if (!bytes)
			break;
		piece->from += bytes;
	}
	return 0;
}

/* Writes what lies between the head and the tail of the call. */
static __always_inline void emit_pieces(struct ts_scratch *scratch, const struct finished *call, __u64 socket,
					__u64 begin)
{
	struct ts_piece piece = {
		.now = call->now,
		.entered = call->entered,
		.socket = socket,
		.begin = begin,
		.from = ts_head_bytes,
		.operation = call->operation,
	};

	if (scratch->capture < (__u64)ts_head_bytes + ts_tail_bytes)
		return;
	piece.to = scratch->capture - ts_tail_bytes;
	ts_emit_pieces(&piece);
}

#endif
