/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
/* How much of a call is captured, by how much has moved the same way before it. */
#ifndef TIMESINK_BULK_H
#define TIMESINK_BULK_H

#include "probe.h"

extern const volatile __u32 ts_head_bytes;
extern const volatile __u32 ts_tail_bytes;

/*
 * Bulk. Of 64 MB that move one way at several 100 MB/s not 4 KiB of each call fit into a ring: once TS_BULK_AFTER bytes
 * have moved one way, and nothing that asks or answers the other way, the begin of large calls is kept short. What
 * begins there is a message's middle as good as always, and parsers skip that by its length or go on at its tail.
 * Times, lengths and positions are told of all calls.
 */
#define TS_BULK_AFTER (256 * 1024)
#define TS_BULK_CALL 4096 /* bytes: of TLS records of servers; smaller calls are captured whole */
#define TS_BULK_HEAD 64
#define TS_BULK_ASIDE 32 /* bytes of a call the other way that say nothing new: HTTP/2's WINDOW_UPDATE, twice */

struct ts_run {
	__u64 bytes;  /* moved one way, one call after the other */
	__u32 reads;  /* which way */
	__u32 packed; /* its calls have many messages; counts down: see packed.h */
};

/* How much of the begin of a call is wanted; the call counts from then on. */
static __always_inline __u32 ts_head_wanted(struct ts_run *run, bool reads, __u64 moved)
{
	__u64 before = run->bytes;

	if (run->reads != reads) {
		if (moved <= TS_BULK_ASIDE)
			return ts_head_bytes;
		run->reads = reads;
		before = 0;
	}
	run->bytes = before + moved;
	if (before < TS_BULK_AFTER || moved < TS_BULK_CALL || ts_head_bytes < TS_BULK_HEAD)
		return ts_head_bytes;
	return TS_BULK_HEAD;
}

#endif
