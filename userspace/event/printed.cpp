#include "event/printed.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

namespace timesink::event {

std::string printed_address(std::uint16_t family, const std::uint8_t (&address)[16]) {
    static constexpr std::uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    char text[INET6_ADDRSTRLEN] = "";
    if (family == AF_INET) {
        inet_ntop(AF_INET, address, text, sizeof(text));
    } else if (family == AF_INET6 && std::memcmp(address, kMapped, sizeof(kMapped)) == 0) {
        inet_ntop(AF_INET, address + sizeof(kMapped), text, sizeof(text));
    } else if (family == AF_INET6) {
        inet_ntop(AF_INET6, address, text, sizeof(text));
    }
    return text;
}

std::string printed_path(const char (&path)[108]) {
    static constexpr char kDigits[] = "0123456789abcdef";
    const bool abstract = path[0] == '\0';
    const char* begin = path + (abstract ? 1 : 0);
    const char* end = std::find(begin, path + sizeof(path), '\0');
    std::string printed = abstract && begin != end ? "@" : "";
    for (const char* at = begin; at != end; ++at) {
        const auto byte = static_cast<unsigned char>(*at);
        if (byte >= 0x20 && byte < 0x7f && byte != '\\') {
            printed += *at;
        } else {
            printed += "\\x";
            printed += kDigits[byte >> 4];
            printed += kDigits[byte & 15];
        }
    }
    return printed;
}

}  // namespace timesink::event
