/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
/*
 * The begin and the end of what a call moved, gathered from the target's memory across its vectors. Read at the exit of
 * the call, when the kernel has just used that memory, so it is nearly always resident.
 */
#ifndef TIMESINK_PAYLOAD_H
#define TIMESINK_PAYLOAD_H

#include "bulk.h"
#include "ring.h"

#define TS_SEGMENTS 64
#define TS_HEAD_MAX 16384
#define TS_TAIL_MAX 256
#define TS_PAYLOAD_AT_MOST (sizeof(struct ts_call) + TS_CLASS_COUNT * sizeof(struct ts_call_count))
#define TS_RECORD_MAX (TS_PAYLOAD_AT_MOST + TS_HEAD_MAX + TS_TAIL_MAX + 8)

struct ts_segment { /* struct iovec */
	__u64 base;
	__u64 length;
};

/* The user's struct msghdr and mmsghdr (include/linux/socket.h, user_msghdr), 64-bit. */
struct ts_message {
	__u64 name;
	__u32 name_length;
	__u32 reserved;
	__u64 segments;
	__u64 segment_count;
	__u64 control;
	__u64 control_length;
	__u32 flags;
	__u32 reserved2;
};
struct ts_message_of_many {
	struct ts_message message;
	__u32 length;
	__u32 reserved;
};

#define TS_LOOKED 4096 /* bytes of the begin of a call that are looked at; a power of two */

/* The begin of a call, while it is looked at (packed.h). volatile: read anew, so that the verifier knows nothing of it.
 */
struct ts_look {
	volatile __u32 at;
	volatile __u32 open;
	__u8 bytes[TS_LOOKED];
};

/* One per CPU, used by sys_exit alone, which is never preempted by another of its kind. */
struct ts_scratch {
	struct ts_segment segments[TS_SEGMENTS];
	__u32 segment_count;
	__u32 counts;
	__u32 head;    /* bytes of the begin that are wanted */
	__u32 capture; /* bytes that may be captured: those moved, or fewer where the buffer was shorter (datagrams) */
	union {
		__u8 record[TS_RECORD_MAX + TS_HEAD_MAX]; /* the slack lets the verifier bound each copy by itself */
		struct ts_look look;
	};
};

/* An array, not per CPU: values of per-CPU arrays end at 32 KiB. live/ sets the number of entries. */
struct ts_scratches {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ts_scratch);
};
struct ts_scratches scratches SEC(".maps");

static __always_inline struct ts_scratch *ts_scratch_of_cpu(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&scratches, &cpu);
}

static __always_inline void ts_take_buffer(struct ts_scratch *scratch, __u64 base, __u64 length)
{
	scratch->segments[0].base = base;
	scratch->segments[0].length = length;
	scratch->segment_count = 1;
}

static __always_inline int ts_take_vector(struct ts_scratch *scratch, __u64 vector, __u64 count)
{
	if (count > TS_SEGMENTS)
		count = TS_SEGMENTS;
	scratch->segment_count = 0;
	TS_OPAQUE(count);
	if (count > TS_SEGMENTS ||
	    bpf_probe_read_user(scratch->segments, count * sizeof(struct ts_segment), (void *)vector))
		return -1;
	scratch->segment_count = count;
	return 0;
}

static __always_inline int ts_take_message(struct ts_scratch *scratch, __u64 message)
{
	struct ts_message header;

	scratch->segment_count = 0;
	if (bpf_probe_read_user(&header, sizeof(header), (void *)message))
		return -1;
	return ts_take_vector(scratch, header.segments, header.segment_count);
}

#define TS_MESSAGES 8 /* of one call are looked at */

/*
 * The first messages of recvmmsg or sendmmsg, one behind the other, up to one that is not in a single segment. glibc's
 * resolver asks for both families of addresses in one call. Returns how many. Global: verified once.
 */
__noinline __u32 ts_take_messages(__u64 messages, __u32 count)
{
	struct ts_scratch *scratch = ts_scratch_of_cpu();
	__u32 taken = 0, bytes = 0;

	if (!scratch)
		return 0;
	for (__u32 i = 0; i < TS_MESSAGES; i++) {
		const struct ts_message_of_many *from = (const struct ts_message_of_many *)messages + i;
		struct ts_message_of_many message;
		struct ts_segment segment;

		if (i >= count || bpf_probe_read_user(&message, sizeof(message), from) ||
		    message.message.segment_count != 1 ||
		    bpf_probe_read_user(&segment, sizeof(segment), (void *)message.message.segments))
			break;
		if (segment.length > message.length)
			segment.length = message.length; /* the buffer of one that was received may be longer */
		scratch->segments[i] = segment;
		bytes += segment.length;
		taken = i + 1;
	}
	scratch->segment_count = taken;
	scratch->capture = bytes;
	/* The tail would be that of the last one. */
	if (taken < count && bytes > ts_head_bytes)
		scratch->capture = ts_head_bytes;
	return taken;
}

/*
 * Copies bytes [from, to) of what was moved to record[at...]. Returns how many came; fewer: unreadable, or beyond
 * TS_SEGMENTS. Global and with numbers for arguments, so that the verifier looks at it once and not once for each way
 * that leads to it.
 */
__noinline __u32 ts_copy_range(__u32 at, __u64 from, __u64 to)
{
	struct ts_scratch *scratch = ts_scratch_of_cpu();
	__u64 position = 0;
	__u32 copied = 0;

	if (!scratch)
		return 0;
	for (__u32 i = 0; i < TS_SEGMENTS; i++) {
		__u64 begin, length, base;
		__u32 where;

		if (i >= scratch->segment_count || from + copied >= to)
			break;
		base = scratch->segments[i].base;
		length = scratch->segments[i].length;
		begin = from + copied - position; /* within this segment: what came before it is in full */
		position += length;
		if (begin >= length)
			continue;
		base += begin;
		length -= begin;
		if (length > to - from - copied)
			length = to - from - copied;
		where = at + copied;
		TS_OPAQUE(where);
		TS_OPAQUE(length);
		if (where > TS_RECORD_MAX - 8 || length > TS_HEAD_MAX)
			break;
		if (bpf_probe_read_user(scratch->record + where, length, (void *)base))
			break;
		copied += length;
	}
	return copied;
}

/* The usual case of that: `length` bytes from the begin, all in the first segment. False: by ts_copy_range. */
static __always_inline bool ts_copy_first(struct ts_scratch *scratch, __u32 at, __u32 length)
{
	if (!scratch->segment_count || scratch->segments[0].length < length)
		return false;
	TS_OPAQUE(at);
	TS_OPAQUE(length);
	if (at > TS_RECORD_MAX - 8 || length > TS_HEAD_MAX)
		return false;
	return !bpf_probe_read_user(scratch->record + at, length, (void *)scratch->segments[0].base);
}

#endif
