/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
/*
 * Whether a call moves many small messages at once, told by its begin: where the first one ends another one must begin.
 * Nothing is decided by it but how much is captured. Global functions, for the verifier looks at these once; how far
 * has been stepped over, and what is open, is in memory where it does not follow it.
 */
#ifndef TIMESINK_PIPELINE_H
#define TIMESINK_PIPELINE_H

#include "payload.h"

#define TS_PACKED_CALL 1024	     /* bytes: smaller calls are captured whole, and are not looked at */
#define TS_PACKED_MOST (1024 * 1024) /* bytes that move one way: beyond, they are as others */
#define TS_PACKED_TURNS 16
#define TS_PIECE 16384 /* bytes: a record has so much of the middle of a call */
#define TS_PIECES 16   /* of one call */

#define TS_PACKED_ITEMS 64  /* values or messages that are stepped over until that is given up */
#define TS_PACKED_FRAMES 32 /* of HTTP/2 */
#define TS_SMALL_FRAME 4096 /* bytes: larger ones are of a body that fills them */
#define TS_LARGEST_FRAME (1024 * 1024)
#define TS_LONGEST_LINE 320 /* bytes: memcached's, a key of 250 and numbers */

static __always_inline __u8 ts_look_at(const struct ts_look *look, __u32 at)
{
	at &= TS_LOOKED - 1;
	TS_OPAQUE(at);
	return at < TS_LOOKED ? look->bytes[at] : 0;
}

/* Four bytes as a number, the first one the highest. */
static __always_inline __u32 ts_look_word(const struct ts_look *look, __u32 at)
{
	return (__u32)ts_look_at(look, at) << 24 | (__u32)ts_look_at(look, at + 1) << 16 |
	       (__u32)ts_look_at(look, at + 2) << 8 | ts_look_at(look, at + 3);
}

/*
 * Bytes [at, at + bytes) of what the call moves, to the begin of what is looked at. `base`: where they are in the
 * target's memory; 0: in the segments of the system call, whose scratch this is. False: they cannot be read, or are not
 * there.
 */
static __always_inline bool ts_look_from(struct ts_look *look, __u64 base, __u32 at, __u32 bytes)
{
	TS_OPAQUE(bytes);
	if (bytes > TS_LOOKED)
		return false;
	if (base)
		return !bpf_probe_read_user(look->bytes, bytes, (void *)(base + at));
	return ts_copy_range(__builtin_offsetof(struct ts_look, bytes), at, (__u64)at + bytes) == bytes;
}

/*
 * The line of a RESP value that begins at `at`: its length with its end, 0 if that is not near, and above these 32 bits
 * the number that is in it.
 */
__noinline __u64 ts_resp_line(const struct ts_look *look, __u32 at)
{
	__u64 number = 0;

	if (!look)
		return 0;
	for (__u32 i = 0; i < 64; i++) {
		__u8 byte = ts_look_at(look, at + i);

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
__noinline int ts_is_packed_resp(struct ts_look *look, __u32 limit)
{
	if (!look)
		return 0;
	look->at = 0;
	look->open = 1;
	for (__u32 i = 0; i < TS_PACKED_ITEMS; i++) {
		__u32 at = look->at, length, number;
		__u64 line;
		__u8 type;

		if (at + 4 > limit)
			return 0;
		type = ts_look_at(look, at);
		if (!look->open)
			return ts_begins_resp(type);
		line = ts_resp_line(look, at + 1);
		length = line;
		number = line >> 32;
		if (!length)
			return 0;
		look->at = at + 1 + length;
		look->open--;
		if (ts_look_at(look, at + 1) == '-')
			continue; /* "$-1", "*-1": nothing */
		if (type == '*' || type == '~' || type == '>')
			look->open += number;
		else if (type == '%')
			look->open += 2 * number;
		else if (type == '$' || type == '=' || type == '!')
			look->at += number + 2;
	}
	return 0;
}

/*
 * PostgreSQL: whether two statements are executed, or are told to be complete. The rows of one are not a pipeline.
 * Message: type, length in four bytes, the highest first, which counts itself.
 */
__noinline int ts_is_packed_postgres(struct ts_look *look, __u32 limit)
{
	if (!look)
		return 0;
	look->at = 0;
	look->open = 2; /* statements still to be met */
	for (__u32 i = 0; i < TS_PACKED_ITEMS; i++) {
		__u32 at = look->at, length;
		__u8 type;

		if (at + 5 > limit)
			return 0;
		type = ts_look_at(look, at);
		length = ts_look_word(look, at + 1);
		if (length < 4 || length > (1 << 24))
			return 0;
		if ((type == 'E' && length >= 9) || type == 'Q' || type == 'C')
			look->open--;
		if (!look->open)
			return 1;
		look->at = at + 1 + length;
	}
	return 0;
}

/*
 * HTTP/2 (RFC 9113, section 4.1): whether behind the first frame there are others that are not all of a body that fills
 * them. Frame: length in three bytes, type, flags, stream. Without them the table of names is lost, too.
 */
__noinline int ts_is_packed_http2(struct ts_look *look, __u64 base, __u32 moved)
{
	if (!look)
		return 0;
	look->at = 0;
	for (__u32 i = 0; i < TS_PACKED_FRAMES; i++) {
		__u32 at = look->at, length, stream;
		bool of_stream;
		__u8 type;

		if (at + 9 > moved || !ts_look_from(look, base, at, 9))
			return 0;
		length = ts_look_word(look, 0) >> 8;
		type = look->bytes[3];
		stream = ts_look_word(look, 5);
		of_stream = type <= 3 || type == 9;
		if (length > TS_LARGEST_FRAME || type > 9 || stream >> 31 || (of_stream && !stream) ||
		    (type != 8 && !of_stream && stream))
			return 0;
		if (i && (type == 1 || (type == 0 && length < TS_SMALL_FRAME)))
			return 1;
		look->at = at + 9 + length;
	}
	return 0;
}

#define TS_WORD(a, b, c, d) ((__u32)(a) << 24 | (__u32)(b) << 16 | (__u32)(c) << 8 | (__u32)(d))

enum ts_memcached_line_kind {
	TS_MEMCACHED_NONE,
	TS_MEMCACHED_LINE,
	TS_MEMCACHED_KEYS, /* may be long */
	TS_MEMCACHED_LAST, /* of an answer of several values */
	TS_MEMCACHED_DATA, /* and above: data is behind it, whose length is the word with this number less
			      TS_MEMCACHED_DATA */
};

/* By the first four bytes of a line of memcached's text protocol: what requests and answers begin with. */
static __always_inline __u32 ts_memcached_kind(__u32 word)
{
	switch (word) {
	case TS_WORD('V', 'A', 'L', 'U'):
		return TS_MEMCACHED_DATA + 3;
	case TS_WORD('s', 'e', 't', ' '):
	case TS_WORD('a', 'd', 'd', ' '):
	case TS_WORD('c', 'a', 's', ' '):
	case TS_WORD('r', 'e', 'p', 'l'):
	case TS_WORD('a', 'p', 'p', 'e'):
	case TS_WORD('p', 'r', 'e', 'p'):
		return TS_MEMCACHED_DATA + 4;
	case TS_WORD('g', 'e', 't', ' '):
	case TS_WORD('g', 'e', 't', 's'):
	case TS_WORD('g', 'a', 't', ' '):
	case TS_WORD('g', 'a', 't', 's'):
		return TS_MEMCACHED_KEYS;
	case TS_WORD('E', 'N', 'D', '\r'):
		return TS_MEMCACHED_LAST;
	case TS_WORD('S', 'T', 'O', 'R'):
	case TS_WORD('N', 'O', 'T', '_'):
	case TS_WORD('D', 'E', 'L', 'E'):
	case TS_WORD('T', 'O', 'U', 'C'):
	case TS_WORD('d', 'e', 'l', 'e'):
	case TS_WORD('i', 'n', 'c', 'r'):
	case TS_WORD('d', 'e', 'c', 'r'):
	case TS_WORD('t', 'o', 'u', 'c'):
	case TS_WORD('E', 'N', '\r', '\n'):
	case TS_WORD('H', 'D', '\r', '\n'):
		return TS_MEMCACHED_LINE;
	}
	switch (word >> 8) {
	case TS_WORD(0, 'V', 'A', ' '):
		return TS_MEMCACHED_DATA + 1;
	case TS_WORD(0, 'm', 's', ' '):
		return TS_MEMCACHED_DATA + 2;
	case TS_WORD(0, 'm', 'g', ' '):
	case TS_WORD(0, 'm', 'd', ' '):
	case TS_WORD(0, 'm', 'a', ' '):
	case TS_WORD(0, 'H', 'D', ' '):
		return TS_MEMCACHED_LINE;
	}
	return TS_MEMCACHED_NONE;
}

/* The first line: its length with its end, 0 if that is not near; above these 32 bits the number in its `counted`th
 * word. */
__noinline __u64 ts_memcached_line(struct ts_look *look, __u32 counted)
{
	if (!look)
		return 0;
	look->at = 0;	/* the number */
	look->open = 0; /* the word that it is in */
	for (__u32 i = 0; i < TS_LONGEST_LINE; i++) {
		__u8 byte = ts_look_at(look, i);
		__u32 digit = byte - '0';

		if (byte == '\r')
			return (__u64)look->at << 32 | (i + 2);
		if (byte == ' ')
			look->open++;
		else if (look->open == counted && digit < 10)
			look->at = (look->at * 10 + digit) & 0x7fffffff;
	}
	return 0;
}

/*
 * memcached: whether behind the first line and its data another one begins (binary: behind the first packet), or one
 * asks for so many keys that it does not end near.
 */
__noinline int ts_is_packed_memcached(struct ts_look *look, __u64 base, __u32 moved)
{
	__u32 kind, next;
	__u64 line;

	if (!look)
		return 0;
	if (look->bytes[0] >> 1 == 0x80 >> 1) {
		next = 24 + ts_look_word(look, 8);
		return next > 24 && next < TS_LARGEST_FRAME && next + 24 <= moved &&
		       ts_look_from(look, base, next, 1) && look->bytes[0] >> 1 == 0x80 >> 1;
	}
	kind = ts_memcached_kind(ts_look_word(look, 0));
	line = ts_memcached_line(look, kind > TS_MEMCACHED_DATA ? kind - TS_MEMCACHED_DATA : ~0U);
	next = (__u32)line;
	if (!next)
		return kind == TS_MEMCACHED_KEYS;
	if (kind > TS_MEMCACHED_DATA)
		next += (line >> 32) + 2;
	if (next >= moved || moved - next < 4 || !ts_look_from(look, base, next, 4))
		return 0;
	next = ts_memcached_kind(ts_look_word(look, 0));
	return next != TS_MEMCACHED_NONE && (next != TS_MEMCACHED_LAST || kind < TS_MEMCACHED_DATA);
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

/* By the first four bytes and the seventh: memcached's DELETED is not HTTP's DELETE. */
static __always_inline bool ts_begins_http1(__u32 word, __u8 seventh)
{
	switch (word) {
	case TS_WORD('D', 'E', 'L', 'E'):
		return seventh == ' ';
	case TS_WORD('H', 'T', 'T', 'P'):
	case TS_WORD('G', 'E', 'T', ' '):
	case TS_WORD('P', 'O', 'S', 'T'):
	case TS_WORD('P', 'U', 'T', ' '):
	case TS_WORD('P', 'A', 'T', 'C'):
	case TS_WORD('H', 'E', 'A', 'D'):
	case TS_WORD('O', 'P', 'T', 'I'):
		return true;
	}
	return false;
}

/* Of 256 bytes from `at` on: the position behind the end of a header block, 0: it is not there. look->open goes on. */
__noinline __u32 ts_http1_head_end(struct ts_look *look, __u32 at)
{
	if (!look)
		return 0;
	for (__u32 i = 0; i < 256; i++) {
		__u8 byte = ts_look_at(look, at + i);

		if (byte == '\n')
			look->open++;
		else if (byte != '\r')
			look->open = 0;
		if (look->open == 2)
			return at + i + 1;
	}
	return 0;
}

/*
 * Bytes of the header block of HTTP/1.x that begins what is looked at; 0: it does not end there. In two loops, as the
 * verifier keeps no more than 8,192 branches in mind.
 */
__noinline __u32 ts_http1_head(struct ts_look *look)
{
	if (!look)
		return 0;
	look->open = 0; /* ends of lines that follow each other */
	for (__u32 at = 0; at < TS_LOOKED; at += 256) {
		__u32 end = ts_http1_head_end(look, at);

		if (end)
			return end;
	}
	return 0;
}

static __always_inline __u32 ts_hexadecimal(__u8 byte)
{
	__u32 digit = byte - '0', letter = (byte | 0x20) - 'a';

	return digit < 10 ? digit : letter < 6 ? letter + 10 : 16;
}

/* Whether at `at` a small chunk of a body begins, and another one behind it (RFC 9112, section 7.1). */
__noinline int ts_is_packed_chunks(struct ts_look *look, __u64 base, __u32 moved, __u32 at)
{
	__u32 next = 0;

	if (!look || at + 16 > moved || !ts_look_from(look, base, at, 16))
		return 0;
	look->at = 0; /* the chunk's length */
	for (__u32 i = 0; i < 6; i++) {
		__u8 byte = ts_look_at(look, i);

		if (i && byte == '\r') {
			next = at + i + 2 + look->at;
			break;
		}
		if (ts_hexadecimal(byte) > 15)
			return 0;
		look->at = look->at << 4 | ts_hexadecimal(byte);
	}
	if (!next || !look->at || look->at >= TS_SMALL_FRAME || next >= moved || moved - next < 4 ||
	    !ts_look_from(look, base, next, 4))
		return 0;
	return look->bytes[0] == '\r' && look->bytes[1] == '\n' && ts_hexadecimal(look->bytes[2]) < 16;
}

/* The same where the call may begin within a chunk. */
__noinline int ts_finds_packed_chunks(struct ts_look *look, __u64 base, __u32 moved)
{
	if (!look)
		return 0;
	if (ts_is_packed_chunks(look, base, moved, 0))
		return 1;
	if (!ts_look_from(look, base, 0, TS_LONGEST_LINE))
		return 0;
	for (__u32 i = 0; i < TS_LONGEST_LINE - 2; i++) {
		if (ts_look_at(look, i) == '\r' && ts_look_at(look, i + 1) == '\n')
			return ts_is_packed_chunks(look, base, moved, i + 2);
	}
	return 0;
}

/* HTTP/1.x: whether the header block is longer than what is captured of any call, or small chunks are behind it. */
__noinline int ts_is_packed_http1(struct ts_look *look, __u64 base, __u32 moved)
{
	__u32 head;

	if (!look || moved < TS_LOOKED || !ts_look_from(look, base, 0, TS_LOOKED))
		return 0;
	head = ts_http1_head(look);
	return !head || ts_is_packed_chunks(look, base, moved, head);
}

/* Looks at the begin of what a call moves; see ts_look_from(). */
__noinline int ts_looks_packed(struct ts_look *look, __u64 base, __u32 moved)
{
	__u32 limit = moved < TS_LOOKED ? moved : TS_LOOKED;
	__u8 first, second;

	if (!look || moved < TS_LONGEST_LINE || !ts_look_from(look, base, 0, 8))
		return 0;
	first = look->bytes[0];
	second = look->bytes[1];
	if (!first)
		return ts_is_packed_http2(look, base, moved);
	if (ts_begins_http1(ts_look_word(look, 0), look->bytes[6]))
		return ts_is_packed_http1(look, base, moved);
	if (first >> 1 == 0x80 >> 1 || ts_memcached_kind(ts_look_word(look, 0)))
		return ts_look_from(look, base, 0, TS_LONGEST_LINE) && ts_is_packed_memcached(look, base, moved);
	if (!ts_may_be_resp(first, second) && !ts_may_be_postgres(first, second))
		return moved > ts_head_bytes && ts_finds_packed_chunks(look, base, moved);
	if (!ts_look_from(look, base, 0, limit))
		return 0;
	return second ? ts_is_packed_resp(look, limit) : ts_is_packed_postgres(look, limit);
}

/*
 * Whether more of this call is wanted. A run is looked at where it begins, and where it has a call of which not all is
 * captured. Once a call was packed, those that follow are taken for such both ways, for they may begin in the middle of
 * a message, until TS_PACKED_TURNS small runs have gone by. To be asked before the run counts the call.
 */
__noinline int ts_wants_pieces(struct ts_look *look, __u64 base, struct ts_run *run, __u32 reads, __u64 moved)
{
	bool begins;

	if (!look || !run)
		return 0;
	begins = !run->bytes || (run->reads != reads && moved > TS_BULK_ASIDE);
	if (begins && run->packed && run->bytes < TS_PACKED_CALL)
		run->packed--;
	if (moved < TS_PACKED_CALL)
		return 0;
	if ((begins || (!run->packed && moved > ts_head_bytes)) && ts_looks_packed(look, base, moved))
		run->packed = TS_PACKED_TURNS;
	return run->packed && moved > ts_head_bytes && (begins || run->bytes < TS_PACKED_MOST);
}

/* Nearly all calls are small, and on connections without pipelines: nothing is to be done for them. */
static __always_inline bool ts_may_want_pieces(const struct ts_run *run, __u64 moved)
{
	return moved >= TS_PACKED_CALL || run->packed;
}

/* Pieces are written while the ring is less than half full: behind that, what is missing is a gap and no loss. */
static __always_inline bool ts_has_room(void *ring)
{
	return bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) * 2 < bpf_ringbuf_query(ring, BPF_RB_RING_SIZE);
}

#endif
