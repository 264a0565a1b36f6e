#include "proto/postgres/redaction.hpp"

#include <algorithm>
#include <string>
#include <string_view>

#include "proto/postgres/payload.hpp"

namespace timesink::proto::postgres {
namespace {

constexpr std::size_t kLongestName = 64;  // NAMEDATALEN: what is longer was not made by a driver

/// Tells of the payload of one message, front to back.
class Teller {
public:
    Teller(const Message& message, Direction direction, std::size_t header, Sink& sink)
        : rest_(message.payload), position_(message.begin + header), direction_(direction), sink_(sink) {}

    void fixed(std::size_t bytes) { tell(rest_.substr(0, bytes), Kept::structure); }
    /// A text and the NUL behind it, where there is one. `shown`: else only its end.
    void text(Kept kind = Kept::structure, bool shown = true) {
        const std::string_view value = rest_.substr(0, rest_.find('\0'));
        if (shown) {
            tell(value, kind);
        } else {
            pass(value.size());
        }
        fixed(1);
    }
    void name() { text(Kept::structure, rest_.substr(0, rest_.find('\0')).size() <= kLongestName); }
    [[nodiscard]] std::string_view rest() const { return rest_; }

private:
    void tell(std::string_view part, Kept kind) {
        if (!part.empty()) {
            sink_.keep(direction_, position_, part, kind);
        }
        pass(part.size());
    }
    void pass(std::size_t bytes) {
        rest_.remove_prefix(bytes);
        position_ += bytes;
    }

    std::string_view rest_;
    std::uint64_t position_;
    Direction direction_;
    Sink& sink_;
};

/// Names of parameters; the values of those that say where the connection goes.
void tell_opening(Teller& teller) {
    const std::uint32_t code = big_endian_32(teller.rest());
    teller.fixed(4);
    if (code == kCancelRequest) {
        return;  // what follows is a secret
    }
    while (!teller.rest().empty() && teller.rest().front() != '\0') {
        const std::string_view name = teller.rest().substr(0, teller.rest().find('\0'));
        const bool place = name == "database" || name == "user";
        teller.text();
        teller.text(Kept::structure, place);
    }
    teller.fixed(1);
}

/// An error's severity and SQLSTATE, of the rest the kinds.
void tell_error(Teller& teller) {
    while (!teller.rest().empty() && teller.rest().front() != '\0') {
        const char field = teller.rest().front();
        teller.fixed(1);
        const bool code = field == 'C' && teller.rest().substr(0, teller.rest().find('\0')).size() == 5;
        teller.text(Kept::structure, code || field == 'V');
    }
    teller.fixed(1);
}

void tell_request(const Message& message, Teller& teller) {
    switch (message.type) {
        case kOpening:
            return tell_opening(teller);
        case 'Q':
            return teller.text(Kept::statement);
        case 'P':
            teller.name();
            return teller.text(Kept::statement);
        case 'B':
            teller.name();
            return teller.name();
        case 'E':
            return teller.name();
        case 'D':
        case 'C':
            teller.fixed(1);
            return teller.name();
        case 'F':
            return teller.fixed(4);
        default:
            return;
    }
}

}  // namespace

void keep(const Message& message, Direction direction, Sink& sink) {
    constexpr std::size_t kLength = 4;
    const std::size_t header = message.type == kOpening ? kLength : 1 + kLength;
    std::string bytes(message.type == kOpening ? "" : std::string(1, message.type));
    const auto length = static_cast<std::uint32_t>(message.bytes() - header + kLength);
    for (unsigned shift = 32; shift > 0; shift -= 8) {
        bytes.push_back(static_cast<char>(length >> (shift - 8) & 0xff));
    }
    sink.keep(direction, message.begin, bytes, Kept::structure);
    Teller teller(message, direction, header, sink);
    if (direction == Direction::request) {
        return tell_request(message, teller);
    }
    switch (message.type) {
        case 'C':
            return teller.text();  // "INSERT 0 1"
        case 'E':
            return tell_error(teller);
        case 'D':
            return teller.fixed(2);  // how many columns
        case 'R':
            return teller.fixed(4);
        case 'Z':
            return teller.fixed(1);
        default:
            return;
    }
}

}  // namespace timesink::proto::postgres
