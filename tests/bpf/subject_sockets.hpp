#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <string>

/// What subjects do with sockets; plain calls, so that a test knows each of them. -1 or false: failed.
namespace timesink::test {

struct Loopback {
    int listener = -1;
    sockaddr_storage address{};
    socklen_t length = 0;
};

inline Loopback listen_on_loopback(int family, int type = SOCK_STREAM) {
    Loopback loopback;
    loopback.listener = socket(family, type, 0);
    if (family == AF_INET) {
        auto* address = reinterpret_cast<sockaddr_in*>(&loopback.address);
        address->sin_family = AF_INET;
        address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        loopback.length = sizeof(sockaddr_in);
    } else {
        auto* address = reinterpret_cast<sockaddr_in6*>(&loopback.address);
        address->sin6_family = AF_INET6;
        address->sin6_addr = in6addr_loopback;
        loopback.length = sizeof(sockaddr_in6);
    }
    if (bind(loopback.listener, reinterpret_cast<sockaddr*>(&loopback.address), loopback.length) != 0 ||
        (type == SOCK_STREAM && listen(loopback.listener, 16) != 0)) {
        loopback.listener = -1;
    }
    getsockname(loopback.listener, reinterpret_cast<sockaddr*>(&loopback.address), &loopback.length);
    return loopback;
}

inline int connect_to(const Loopback& loopback) {
    const int fd = socket(loopback.address.ss_family, SOCK_STREAM, 0);
    return connect(fd, reinterpret_cast<const sockaddr*>(&loopback.address), loopback.length) == 0 ? fd : -1;
}

inline bool read_all(int fd, std::size_t bytes, std::size_t at_once = 4096) {
    std::string buffer(at_once, '\0');
    while (bytes > 0) {
        const ssize_t got = read(fd, buffer.data(), std::min(at_once, bytes));
        if (got <= 0) {
            return false;
        }
        bytes -= static_cast<std::size_t>(got);
    }
    return true;
}

/// Text of which every part can be told from every other.
inline std::string numbered_text(std::size_t bytes) {
    std::string text;
    for (int i = 0; text.size() < bytes; i++) {
        text += std::to_string(i) + ' ';
    }
    text.resize(bytes);
    return text;
}

}  // namespace timesink::test
