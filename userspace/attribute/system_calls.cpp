#include "attribute/system_calls.hpp"

#include <algorithm>
#include <array>
#include <iterator>

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

struct Row {
    std::int16_t syscall;
    WaitKind kind;
};

constexpr Row kRows[] = {
    {kRead, WaitKind::socket},      {kWrite, WaitKind::socket},         {kOpen, WaitKind::file},
    {kStat, WaitKind::file},        {kLstat, WaitKind::file},           {kPoll, WaitKind::poll},
    {kPread64, WaitKind::file},     {kPwrite64, WaitKind::file},        {kReadv, WaitKind::socket},
    {kWritev, WaitKind::socket},    {kSelect, WaitKind::poll},          {kMsync, WaitKind::file},
    {kNanosleep, WaitKind::sleep},  {kSendfile, WaitKind::socket},      {kConnect, WaitKind::socket},
    {kAccept, WaitKind::socket},    {kSendto, WaitKind::socket},        {kRecvfrom, WaitKind::socket},
    {kSendmsg, WaitKind::socket},   {kRecvmsg, WaitKind::socket},       {kFcntl, WaitKind::lock},
    {kFlock, WaitKind::lock},       {kFsync, WaitKind::file},           {kFdatasync, WaitKind::file},
    {kTruncate, WaitKind::file},    {kFtruncate, WaitKind::file},       {kGetdents, WaitKind::file},
    {kRename, WaitKind::file},      {kUnlink, WaitKind::file},          {kFutex, WaitKind::futex},
    {kGetdents64, WaitKind::file},  {kClockNanosleep, WaitKind::sleep}, {kEpollWait, WaitKind::poll},
    {kOpenat, WaitKind::file},      {kNewfstatat, WaitKind::file},      {kUnlinkat, WaitKind::file},
    {kRenameat, WaitKind::file},    {kPselect6, WaitKind::poll},        {kPpoll, WaitKind::poll},
    {kSplice, WaitKind::socket},    {kSyncFileRange, WaitKind::file},   {kEpollPwait, WaitKind::poll},
    {kFallocate, WaitKind::file},   {kAccept4, WaitKind::socket},       {kPreadv, WaitKind::file},
    {kPwritev, WaitKind::file},     {kRecvmmsg, WaitKind::socket},      {kSendmmsg, WaitKind::socket},
    {kRenameat2, WaitKind::file},   {kPreadv2, WaitKind::file},         {kPwritev2, WaitKind::file},
    {kEpollPwait2, WaitKind::poll}, {kFutexWait, WaitKind::futex},
};

/// By number: this is asked at every event.
constexpr auto kKinds = [] {
    constexpr std::int16_t kMost = std::max_element(std::begin(kRows), std::end(kRows), [](const Row& a, const Row& b) {
                                       return a.syscall < b.syscall;
                                   })->syscall;
    std::array<WaitKind, kMost + 1> kinds{};
    kinds.fill(WaitKind::other);
    for (const Row& row : kRows) {
        kinds[static_cast<std::size_t>(row.syscall)] = row.kind;
    }
    return kinds;
}();

}  // namespace

WaitKind wait_kind(std::int16_t syscall) {
    if (syscall < 0) {
        return WaitKind::none;
    }
    return static_cast<std::size_t>(syscall) < kKinds.size() ? kKinds[static_cast<std::size_t>(syscall)] : WaitKind::other;
}

bool waits_in_epoll(std::int16_t syscall) {
    return syscall == kEpollWait || syscall == kEpollPwait || syscall == kEpollPwait2;
}

}  // namespace timesink::attribute
