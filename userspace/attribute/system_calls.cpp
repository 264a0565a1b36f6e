#include "attribute/system_calls.hpp"

namespace timesink::attribute {

namespace {

// Numbers of arch/x86/entry/syscalls/syscall_64.tbl. Not <sys/syscall.h>: a recording is analysed on machines of any
// architecture.
enum Number : std::int16_t {
    kRead = 0,
    kWrite = 1,
    kPoll = 7,
    kPread64 = 17,
    kPwrite64 = 18,
    kReadv = 19,
    kWritev = 20,
    kSelect = 23,
    kMsync = 26,
    kNanosleep = 35,
    kSendfile = 40,
    kConnect = 42,
    kAccept = 43,
    kSendto = 44,
    kRecvfrom = 45,
    kSendmsg = 46,
    kRecvmsg = 47,
    kOpen = 2,
    kStat = 4,
    kLstat = 6,
    kFcntl = 72,
    kFlock = 73,
    kFsync = 74,
    kFdatasync = 75,
    kTruncate = 76,
    kFtruncate = 77,
    kGetdents = 78,
    kRename = 82,
    kUnlink = 87,
    kFutex = 202,
    kGetdents64 = 217,
    kClockNanosleep = 230,
    kEpollWait = 232,
    kOpenat = 257,
    kNewfstatat = 262,
    kUnlinkat = 263,
    kRenameat = 264,
    kPselect6 = 270,
    kPpoll = 271,
    kSplice = 275,
    kSyncFileRange = 277,
    kEpollPwait = 281,
    kFallocate = 285,
    kAccept4 = 288,
    kPreadv = 295,
    kPwritev = 296,
    kRecvmmsg = 299,
    kSendmmsg = 307,
    kRenameat2 = 316,
    kPreadv2 = 327,
    kPwritev2 = 328,
    kEpollPwait2 = 441,
    kFutexWait = 455,
};

}  // namespace

WaitKind wait_kind(std::int16_t syscall) {
    switch (syscall) {
        case -1:
            return WaitKind::none;
        case kRead:
        case kWrite:
        case kReadv:
        case kWritev:
        case kSendfile:
        case kConnect:
        case kAccept:
        case kAccept4:
        case kSendto:
        case kRecvfrom:
        case kSendmsg:
        case kRecvmsg:
        case kRecvmmsg:
        case kSendmmsg:
        case kSplice:
            return WaitKind::socket;
        case kPoll:
        case kPpoll:
        case kSelect:
        case kPselect6:
        case kEpollWait:
        case kEpollPwait:
        case kEpollPwait2:
            return WaitKind::poll;
        case kFutex:
        case kFutexWait:
            return WaitKind::futex;
        case kNanosleep:
        case kClockNanosleep:
            return WaitKind::sleep;
        case kFcntl:
        case kFlock:
            return WaitKind::lock;
        case kPread64:
        case kPwrite64:
        case kPreadv:
        case kPwritev:
        case kPreadv2:
        case kPwritev2:
        case kFsync:
        case kFdatasync:
        case kMsync:
        case kSyncFileRange:
        case kFallocate:
        case kOpen:
        case kOpenat:
        case kStat:
        case kLstat:
        case kNewfstatat:
        case kTruncate:
        case kFtruncate:
        case kGetdents:
        case kGetdents64:
        case kRename:
        case kRenameat:
        case kRenameat2:
        case kUnlink:
        case kUnlinkat:
            return WaitKind::file;
        default:
            return WaitKind::other;
    }
}

}  // namespace timesink::attribute
