#include "proto/amqp/frame.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "proto/reader.hpp"

namespace timesink::proto::amqp {
namespace {

struct Known {
    Method method;
    std::string_view name;
    Method answer;  ///< 0: none
};
constexpr std::array<Known, 51> kMethods = {{
    {method(10, 10), "connection.start", 0},
    {method(10, 11), "connection.start-ok", method(10, 30)},
    {method(10, 20), "connection.secure", 0},
    {method(10, 21), "connection.secure-ok", method(10, 30)},
    {method(10, 30), "connection.tune", 0},
    {method(10, 31), "connection.tune-ok", 0},
    {method(10, 40), "connection.open", method(10, 41)},
    {method(10, 41), "connection.open-ok", 0},
    {method(10, 50), "connection.close", method(10, 51)},
    {method(10, 51), "connection.close-ok", 0},
    {method(10, 60), "connection.blocked", 0},
    {method(10, 61), "connection.unblocked", 0},
    {method(20, 10), "channel.open", method(20, 11)},
    {method(20, 11), "channel.open-ok", 0},
    {method(20, 20), "channel.flow", method(20, 21)},
    {method(20, 21), "channel.flow-ok", 0},
    {method(20, 40), "channel.close", method(20, 41)},
    {method(20, 41), "channel.close-ok", 0},
    {method(40, 10), "exchange.declare", method(40, 11)},
    {method(40, 11), "exchange.declare-ok", 0},
    {method(40, 20), "exchange.delete", method(40, 21)},
    {method(40, 21), "exchange.delete-ok", 0},
    {method(40, 30), "exchange.bind", method(40, 31)},
    {method(40, 31), "exchange.bind-ok", 0},
    {method(50, 10), "queue.declare", method(50, 11)},
    {method(50, 11), "queue.declare-ok", 0},
    {method(50, 20), "queue.bind", method(50, 21)},
    {method(50, 21), "queue.bind-ok", 0},
    {method(50, 30), "queue.purge", method(50, 31)},
    {method(50, 31), "queue.purge-ok", 0},
    {method(50, 40), "queue.delete", method(50, 41)},
    {method(50, 41), "queue.delete-ok", 0},
    {method(50, 50), "queue.unbind", method(50, 51)},
    {method(50, 51), "queue.unbind-ok", 0},
    {method(60, 10), "basic.qos", method(60, 11)},
    {method(60, 11), "basic.qos-ok", 0},
    {method(60, 20), "basic.consume", method(60, 21)},
    {method(60, 21), "basic.consume-ok", 0},
    {method(60, 30), "basic.cancel", method(60, 31)},
    {method(60, 31), "basic.cancel-ok", 0},
    {method(60, 40), "basic.publish", 0},
    {method(60, 50), "basic.return", 0},
    {method(60, 60), "basic.deliver", 0},
    {method(60, 70), "basic.get", method(60, 71)},
    {method(60, 71), "basic.get-ok", 0},
    {method(60, 72), "basic.get-empty", 0},
    {method(60, 80), "basic.ack", 0},
    {method(60, 90), "basic.reject", 0},
    {method(60, 120), "basic.nack", 0},
    {method(85, 10), "confirm.select", method(85, 11)},
    {method(85, 11), "confirm.select-ok", 0},
}};
/// Rare ones, all answered by the next number: basic.recover, tx.select, tx.commit, tx.rollback, connection.update-secret.
constexpr std::array<Known, 10> kRareMethods = {{
    {method(60, 110), "basic.recover", method(60, 111)},
    {method(60, 111), "basic.recover-ok", 0},
    {method(90, 10), "tx.select", method(90, 11)},
    {method(90, 11), "tx.select-ok", 0},
    {method(90, 20), "tx.commit", method(90, 21)},
    {method(90, 21), "tx.commit-ok", 0},
    {method(90, 30), "tx.rollback", method(90, 31)},
    {method(90, 31), "tx.rollback-ok", 0},
    {method(10, 70), "connection.update-secret", method(10, 71)},
    {method(10, 71), "connection.update-secret-ok", 0},
}};

const Known* find(Method wanted) {
    const auto is = [wanted](const Known& known) { return known.method == wanted; };
    if (const auto found = std::find_if(kMethods.begin(), kMethods.end(), is); found != kMethods.end()) {
        return &*found;
    }
    const auto rare = std::find_if(kRareMethods.begin(), kRareMethods.end(), is);
    return rare == kRareMethods.end() ? nullptr : &*rare;
}

std::string short_string(Reader& reader, bool shown, std::vector<Told>* told) {
    const std::string_view length = reader.rest().substr(0, 1);
    const std::string_view text = reader.take(reader.byte());
    if (told != nullptr) {
        told->push_back({length, Kept::structure});
        if (shown) {
            told->push_back({text, Kept::key});
        }
    }
    return is_printable(text) ? std::string(text) : std::string("?");
}

}  // namespace

FrameHeader frame_header(std::string_view bytes) {
    Reader reader(bytes);
    FrameHeader header;
    const std::uint8_t type = reader.byte();
    header.type = static_cast<FrameType>(type);
    header.channel = static_cast<std::uint16_t>(reader.big<2>());
    header.size = static_cast<std::uint32_t>(reader.big<4>());
    const bool known = (type >= 1 && type <= 3) || type == 8;
    const bool size = header.type == FrameType::heartbeat ? header.size == 0 && header.channel == 0
                      : header.type == FrameType::method  ? header.size >= 4
                      : header.type == FrameType::header  ? header.size >= 14
                                                          : true;
    header.valid =
        known && size && header.size <= kLargestFrame && (header.channel != 0 || type == 1 || type == 8) && reader.ok();
    return header;
}

std::string_view name_of(Method wanted) {
    const Known* const known = find(wanted);
    return known != nullptr ? known->name : std::string_view{};
}

Method answer_to(Method asked) {
    const Known* const known = find(asked);
    return known != nullptr ? known->answer : 0;
}

Method method_of(std::string_view payload) {
    return payload.size() < 4 ? 0 : static_cast<Method>(Reader(payload).big<4>());
}

Place place_of(Method asked, std::string_view payload, std::vector<Told>* told) {
    /// Arguments in their order: 2 and 9: as many bytes; x: the exchange, r: the routing key, q: the queue, s: another short
    /// string.
    struct Layout {
        Method method;
        std::string_view arguments;
        std::uint8_t no_wait;  ///< in the bits behind them; 0: there is no such bit
    };
    static constexpr std::array<Layout, 12> kLayouts = {{
        {methods::kBasicPublish, "2xr", 0},
        {methods::kBasicDeliver, "s9xr", 0},
        {methods::kBasicGet, "2q", 0},
        {method(60, 20), "2qs", 8},   // basic.consume
        {method(60, 30), "s", 1},     // basic.cancel
        {method(50, 10), "2q", 16},   // queue.declare
        {method(50, 20), "2qxs", 1},  // queue.bind
        {method(50, 30), "2q", 1},    // queue.purge
        {method(50, 40), "2q", 4},    // queue.delete
        {method(40, 10), "2xs", 16},  // exchange.declare
        {method(40, 20), "2x", 2},    // exchange.delete
        {methods::kConfirmSelect, "", 1},
    }};
    Place place;
    const auto found =
        std::find_if(kLayouts.begin(), kLayouts.end(), [asked](const Layout& layout) { return layout.method == asked; });
    if (found == kLayouts.end()) {
        return place;
    }
    Reader reader(payload);
    (void)reader.take(4);
    for (const char argument : found->arguments) {
        if (argument == '2' || argument == '9') {
            const std::string_view number = reader.take(static_cast<std::uint64_t>(argument - '0'));
            if (told != nullptr) {
                told->push_back({number, Kept::structure});
            }
            continue;
        }
        std::string text = short_string(reader, argument != 's', told);
        if (argument != 's') {
            (argument == 'x' ? place.exchange : argument == 'q' ? place.queue : place.routing_key) = std::move(text);
        }
    }
    if (told != nullptr && found->no_wait != 0) {
        told->push_back({reader.rest().substr(0, 1), Kept::structure});
    }
    place.no_wait = found->no_wait != 0 && (reader.byte() & found->no_wait) != 0;
    return place;
}

Confirmation confirmation_of(std::string_view payload) {
    Reader reader(payload);
    (void)reader.take(4);
    Confirmation confirmation;
    confirmation.tag = reader.big<8>();
    confirmation.multiple = (reader.byte() & 1) != 0;
    confirmation.known = reader.ok();
    return confirmation;
}

Chain frame_chain(std::string_view bytes) {
    bool first = true;
    while (!bytes.empty()) {
        if (bytes.size() < kHeaderBytes) {
            return first ? Chain::no : Chain::may;
        }
        const FrameHeader header = frame_header(bytes);
        const Method of_frame = method_of(bytes.substr(kHeaderBytes, header.size));
        const bool known = header.type != FrameType::method || of_frame == 0 || !name_of(of_frame).empty();
        if (!header.valid || !known) {
            return Chain::no;
        }
        const std::size_t length = kHeaderBytes + std::size_t{header.size} + 1;
        if (bytes.size() < length) {
            return !first || (header.type == FrameType::method && of_frame != 0) ? Chain::may : Chain::no;
        }
        if (bytes[length - 1] != kFrameEnd) {
            return Chain::no;
        }
        bytes.remove_prefix(length);
        first = false;
    }
    return first ? Chain::no : Chain::whole;
}

}  // namespace timesink::proto::amqp
