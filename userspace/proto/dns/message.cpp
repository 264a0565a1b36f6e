#include "proto/dns/message.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/ascii.hpp"
#include "proto/reader.hpp"

namespace timesink::proto::dns {
namespace {

constexpr std::size_t kLongestLabel = 63;
constexpr std::size_t kLongestName = 255;
constexpr std::uint16_t kInternet = 1;
/// No answer has more records than this; what claims more is not believed.
constexpr std::uint64_t kMostRecords = 4096;

/// IANA, "DNS Parameters": what programs ask for.
constexpr std::array<std::pair<std::uint16_t, std::string_view>, 19> kTypes = {{{1, "A"},
                                                                                {2, "NS"},
                                                                                {5, "CNAME"},
                                                                                {6, "SOA"},
                                                                                {12, "PTR"},
                                                                                {15, "MX"},
                                                                                {16, "TXT"},
                                                                                {28, "AAAA"},
                                                                                {29, "LOC"},
                                                                                {33, "SRV"},
                                                                                {35, "NAPTR"},
                                                                                {43, "DS"},
                                                                                {48, "DNSKEY"},
                                                                                {52, "TLSA"},
                                                                                {64, "SVCB"},
                                                                                {65, "HTTPS"},
                                                                                {255, "ANY"},
                                                                                {256, "URI"},
                                                                                {257, "CAA"}}};

/// RFC 1035, section 4.1.1, and RFC 2136, section 2.2.
constexpr std::array<std::string_view, 16> kCodes = {"",         "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",  "REFUSED",
                                                     "YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE", "RCODE11",
                                                     "RCODE12",  "RCODE13", "RCODE14",  "RCODE15"};

/// Of the names of hosts and services. Others are allowed on the wire, but nobody has such hosts.
bool is_of_name(char c) {
    return is_letter(c) || is_digit(c) || c == '-' || c == '_' || c == '/' || c == '*';
}

/// The name that is asked for: labels up to the root, no pointers, as there is nothing yet that they could point to.
Extent read_name(Reader& reader, std::string& name) {
    name.clear();
    for (;;) {
        const std::size_t length = reader.byte();
        if (!reader.ok()) {
            return Extent::begun;
        }
        if (length == 0) {
            name = name.empty() ? "." : name;
            return Extent::whole;
        }
        if (length > kLongestLabel || name.size() + length + 1 > kLongestName) {
            return Extent::bad;
        }
        const std::string_view label = reader.take_some(length);
        if (!std::all_of(label.begin(), label.end(), is_of_name)) {
            return Extent::bad;
        }
        if (!reader.ok()) {
            return Extent::begun;
        }
        name += name.empty() ? "" : ".";
        std::transform(label.begin(), label.end(), std::back_inserter(name), to_lower);
    }
}

/// The name of a record: labels, and a pointer in the place of the rest of them.
Extent pass_name(Reader& reader) {
    constexpr std::size_t kPointer = 0xc0;
    std::size_t total = 0;
    for (;;) {
        const std::size_t length = reader.byte();
        if (!reader.ok()) {
            return Extent::begun;
        }
        if (length == 0) {
            return Extent::whole;
        }
        if (length >= kPointer) {
            (void)reader.byte();
            return reader.ok() ? Extent::whole : Extent::begun;
        }
        total += length + 1;
        if (length > kLongestLabel || total > kLongestName) {
            return Extent::bad;
        }
        (void)reader.take(length);
    }
}

/// Flags and counts: an ordinary query, or the answer to one.
bool read_header(std::string_view header, Message& message, std::uint64_t& questions, std::uint64_t& records) {
    constexpr unsigned kResponse = 0x80;
    constexpr unsigned kOpcode = 0x78;
    constexpr unsigned kAuthoritative = 0x04;
    constexpr unsigned kTruncated = 0x02;
    constexpr unsigned kRecursionAvailable = 0x80;
    constexpr unsigned kReserved = 0x40;
    constexpr unsigned kCode = 0x0f;
    Reader reader(header);
    message.id = static_cast<std::uint16_t>(reader.big<2>());
    const unsigned first = reader.byte();
    const unsigned second = reader.byte();
    questions = reader.big<2>();
    message.answers = reader.big<2>();
    const std::uint64_t authorities = reader.big<2>();
    const std::uint64_t additional = reader.big<2>();
    records = message.answers + authorities + additional;
    message.response = (first & kResponse) != 0;
    message.truncated = (first & kTruncated) != 0;
    message.rcode = second & kCode;
    if ((first & kOpcode) != 0 || (second & kReserved) != 0 || records > kMostRecords) {
        return false;
    }
    if (message.response) {
        return questions == 1 || (questions == 0 && message.rcode != 0);
    }
    const bool only_asks = (first & kAuthoritative) == 0 && (second & (kRecursionAvailable | kCode)) == 0;
    return only_asks && !message.truncated && questions == 1 && message.answers + authorities == 0 && additional <= 2;
}

/// What of `text` lies between two places in it.
std::string_view between(const char* from, const char* to) {
    return {from, static_cast<std::size_t>(to - from)};
}

Extent read_question(Reader& reader, Message& message) {
    const Extent name = read_name(reader, message.name);
    if (name != Extent::whole) {
        return name;
    }
    message.type = static_cast<std::uint16_t>(reader.big<2>());
    const std::uint64_t of_class = reader.big<2>();
    if (!reader.ok()) {
        return Extent::begun;
    }
    message.asked = of_class == kInternet && !type_name(message.type).empty();
    return message.asked ? Extent::whole : Extent::bad;
}

/// Type, class, time to live, and the length of the data, which is passed over.
Extent pass_record(Reader& reader, Message& message) {
    const char* const begin = reader.at();
    const Extent name = pass_name(reader);
    (void)reader.take(8);
    const std::uint64_t length = reader.big<2>();
    message.parts.push_back(between(begin, reader.at()));
    if (name == Extent::bad || !reader.ok()) {
        return name == Extent::bad ? Extent::bad : Extent::begun;
    }
    (void)reader.take(length);
    return reader.ok() ? Extent::whole : Extent::begun;
}

}  // namespace

Extent read_message(std::string_view text, Message& message) {
    Reader reader(text);
    const std::string_view header = reader.take(kHeaderBytes);
    if (!reader.ok()) {
        return Extent::begun;
    }
    std::uint64_t questions = 0;
    std::uint64_t records = 0;
    if (!read_header(header, message, questions, records)) {
        return Extent::bad;
    }
    message.parts.push_back(header);
    if (questions == 1) {
        const Extent question = read_question(reader, message);
        message.parts.push_back(between(text.data() + kHeaderBytes, reader.at()));
        if (question != Extent::whole) {
            return question;
        }
    }
    for (; records > 0; --records) {
        const Extent record = pass_record(reader, message);
        if (record != Extent::whole) {
            return record;
        }
    }
    message.bytes = static_cast<std::size_t>(reader.at() - text.data());
    return Extent::whole;
}

std::string_view type_name(std::uint16_t type) {
    const auto found = std::find_if(kTypes.begin(), kTypes.end(), [type](const auto& known) { return known.first == type; });
    return found == kTypes.end() ? std::string_view() : found->second;
}

std::string_view rcode_name(unsigned rcode) {
    return rcode < kCodes.size() ? kCodes[rcode] : std::string_view();
}

}  // namespace timesink::proto::dns
