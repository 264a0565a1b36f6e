/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
/*
 * Calls into which many small messages are packed: pipelines. Of any other large call the begin and the end say all
 * that is needed; of these each message in between is an exchange of its own, so more of them is captured, in pieces.
 */
#ifndef TIMESINK_PACKED_H
#define TIMESINK_PACKED_H

#include "call_record.h"

#define TS_PACKED_CALL 1024	     /* bytes: smaller calls are captured whole, and are not looked at */
#define TS_PACKED_MOST (1024 * 1024) /* bytes that move one way: beyond, they are as others */
#define TS_PACKED_LOOK 4096	     /* bytes of the begin that are looked at; a power of two */
#define TS_PACKED_ITEMS 64	     /* values or messages that are stepped over until that is given up */
#define TS_PACKED_TURNS 16
#define TS_PIECE 16384 /* bytes */
#define TS_PIECES 16   /* of one call */

/*
 * The begin of the call is at the begin of the scratch record; how far it has been stepped over, and what is open, is
 * in the scratch too, where the verifier does not follow it. Global functions, for it looks at these once.
 */
static __always_inline __u8 ts_look_at(const struct ts_scratch *scratch, __u32 at)
{
	at &= TS_PACKED_LOOK - 1;
	TS_OPAQUE(at);
	return at < TS_PACKED_LOOK ? scratch->record[at] : 0;
}

/*
 * The line of a RESP value that begins at `at`: its length with its end, 0 if that is not near, and above these 32 bits
 * the number that is in it.
 */
__noinline __u64 ts_resp_line(__u32 at)
{
	const struct ts_scratch *scratch = ts_scratch_of_cpu();
	__u64 number = 0;

	if (!scratch)
		return 0;
	for (__u32 i = 0; i < 64; i++) {
		__u8 byte = ts_look_at(scratch, at + i);

		if (byte == '\r')
			return number << 32 | (i + 2);
		number = byte >= '0' && byte <= '9' ? (number * 10 + (byte - '0')) & 0x7fffffff : number;
	}
	return 0;
}

static __always_inline bool ts_begins_resp(__u8 type)
{
	return type == '*' || type == '$' || type == '+' || type == '-' || type == ':' || type == '%' || type == '_' ||
	       type == '#' || type == ',' || type == '~' || type == '>';
}

/*
 * Whether behind the first value another one begins. A value in which more than TS_PACKED_ITEMS others are, or that is
 * longer than what is looked at, is one message that has parts.
 */
__noinline int ts_is_packed_resp(__u32 limit)
{
	struct ts_scratch *scratch = ts_scratch_of_cpu();

	if (!scratch)
		return 0;
	scratch->look_at = 0;
	scratch->look_open = 1;
	for (__u32 i = 0; i < TS_PACKED_ITEMS; i++) {
		__u32 at = scratch->look_at, length, number;
		__u64 line;
		__u8 type;

		if (at + 4 > limit)
			return 0;
		type = ts_look_at(scratch, at);
		if (!scratch->look_open)
			return ts_begins_resp(type);
		line = ts_resp_line(at + 1);
		length = line;
		number = line >> 32;
		if (!length)
			return 0;
		scratch->look_at = at + 1 + length;
		scratch->look_open--;
		if (ts_look_at(scratch, at + 1) == '-')
			continue; /* "$-1", "*-1": nothing */
		if (type == '*' || type == '~' || type == '>')
			scratch->look_open += number;
		else if (type == '%')
			scratch->look_open += 2 * number;
		else if (type == '$' || type == '=' || type == '!')
			scratch->look_at += number + 2;
	}
	return 0;
}

/*
 * PostgreSQL: whether two statements are executed, or are told to be complete. The rows of one are not a pipeline.
 * Message: type, length in four bytes, the highest first, which counts itself.
 */
__noinline int ts_is_packed_postgres(__u32 limit)
{
	struct ts_scratch *scratch = ts_scratch_of_cpu();

	if (!scratch)
		return 0;
	scratch->look_at = 0;
	scratch->look_open = 2; /* statements still to be met */
	for (__u32 i = 0; i < TS_PACKED_ITEMS; i++) {
		__u32 at = scratch->look_at, length;
		__u8 type;

		if (at + 5 > limit)
			return 0;
		type = ts_look_at(scratch, at);
		length = (__u32)ts_look_at(scratch, at + 1) << 24 | (__u32)ts_look_at(scratch, at + 2) << 16 |
			 (__u32)ts_look_at(scratch, at + 3) << 8 | ts_look_at(scratch, at + 4);
		if (length < 4 || length > (1 << 24))
			return 0;
		if ((type == 'E' && length >= 9) || type == 'Q' || type == 'C')
			scratch->look_open--;
		if (!scratch->look_open)
			return 1;
		scratch->look_at = at + 1 + length;
	}
	return 0;
}

/* By the first two bytes of a run. */
static __always_inline bool ts_may_be_resp(__u8 first, __u8 second)
{
	bool counts = first == '*' || first == '$' || first == ':' || first == '%' || first == '~' || first == '>';

	return (counts && ((second >= '0' && second <= '9') || second == '-')) || first == '+' || first == '-';
}

static __always_inline bool ts_may_be_postgres(__u8 first, __u8 second)
{
	return !second &&
	       ((first >= 'A' && first <= 'Z') || (first >= '1' && first <= '3') || first == 'n' || first == 't');
}

/* Looks at the begin of the call, which it puts into the scratch record for that. */
__noinline int ts_look(void)
{
	struct ts_scratch *scratch = ts_scratch_of_cpu();
	__u32 limit;

	if (!scratch || ts_copy_range(0, 0, 2) != 2)
		return 0;
	if (!ts_may_be_resp(scratch->record[0], scratch->record[1]) &&
	    !ts_may_be_postgres(scratch->record[0], scratch->record[1]))
		return 0;
	limit = scratch->capture < TS_PACKED_LOOK ? scratch->capture : TS_PACKED_LOOK;
	if (ts_copy_range(0, 0, limit) != limit)
		return 0;
	if (!scratch->record[1])
		return ts_is_packed_postgres(limit);
	return ts_is_packed_resp(limit);
}

/*
 * Whether more of this call is wanted. A run is looked at where it begins, and where it has a call of which not all is
 * captured. Once a call was packed, those that follow are taken for such both ways, for they may begin in the middle of
 * a message, until TS_PACKED_TURNS small runs have gone by. To be asked before the run counts the call.
 */
static __always_inline bool ts_wants_pieces(struct ts_scratch *scratch, struct ts_run *run, bool reads)
{
	__u64 moved = scratch->capture;
	bool begins = !run->bytes || (run->reads != reads && moved > TS_BULK_ASIDE);

	if (begins && run->packed && run->bytes < TS_PACKED_CALL)
		run->packed--;
	if (moved < TS_PACKED_CALL)
		return false;
	if ((begins || (!run->packed && moved > ts_head_bytes)) && ts_look())
		run->packed = TS_PACKED_TURNS;
	return run->packed && moved > ts_head_bytes && (begins || run->bytes < TS_PACKED_MOST);
}

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

/* Pieces are written while the ring is less than half full: behind that, what is missing is a gap and no loss. */
static __always_inline bool ts_has_room(void *ring)
{
	return bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) * 2 < bpf_ringbuf_query(ring, BPF_RB_RING_SIZE);
}

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

/* Writes what lies between the head and the tail of the call, as far as it is bounded. */
static __noinline int emit_pieces(struct ts_scratch *scratch, const struct finished *call, __u64 socket, __u64 begin)
{
	struct ts_piece piece = {};
	__u64 end;

	if (!scratch || !call || scratch->capture < (__u64)ts_head_bytes + ts_tail_bytes)
		return 0;
	end = scratch->capture - ts_tail_bytes;
	piece.now = call->now;
	piece.entered = call->entered;
	piece.socket = socket;
	piece.begin = begin;
	piece.operation = call->operation;
	piece.from = ts_head_bytes;
	for (__u32 i = 0; i < TS_PIECES; i++) {
		__u32 bytes;

		if (piece.from >= end)
			break;
		piece.to = end - piece.from > TS_PIECE ? piece.from + TS_PIECE : end;
		bytes = ts_emit_piece(&piece);
		if (!bytes)
			break;
		piece.from += bytes;
	}
	return 0;
}

#endif
