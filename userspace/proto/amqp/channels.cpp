#include "proto/amqp/channels.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "proto/reader.hpp"

namespace timesink::proto::amqp {
namespace {

/// Exchange and routing key, or the queue: for the shape, not for export, as a key may hold what users sent.
void name_place(const Place& place, Attributes& attributes) {
    std::string key = place.exchange;
    const std::string& rest = place.queue.empty() ? place.routing_key : place.queue;
    if (!rest.empty()) {
        key.append(key.empty() ? "" : ":").append(rest);
    }
    if (!key.empty()) {
        attributes.emplace_back("amqp.key", key);
    }
    const std::string& destination = place.queue.empty() ? place.exchange : place.queue;
    if (!destination.empty()) {
        attributes.emplace_back("messaging.destination.name", destination);
    }
}

/// What clients do to get going, and to go.
bool is_housekeeping(Method asked) {
    const std::uint32_t of_class = asked >> 16;
    return of_class == 10 || of_class == 20 || asked == methods::kConfirmSelect || asked == methods::kBasicQos;
}

}  // namespace

Channel& Channels::channel(std::uint16_t number, std::uint64_t position, Sink& sink) {
    if (channels_.size() >= kMost && channels_.find(number) == channels_.end()) {
        give_up(channels_.begin()->second, position, sink);
        channels_.erase(channels_.begin());
    }
    return channels_[number];
}

Correlation Channels::greet(std::uint64_t begin, std::uint64_t end, Sink& sink) {
    Channel& own = channel(0, begin, sink);
    own.waiting = {Correlation{++last_}, methods::kConnectionStart};
    sink.head({.correlation = own.waiting->correlation,
               .begin = begin,
               .operation = "connect",
               .target = "connect",
               .housekeeping = true});
    sink.end({.correlation = own.waiting->correlation, .end = end});
    return own.waiting->correlation;
}

void Channels::ask(Method asked, std::uint16_t number, std::string_view payload, std::uint64_t begin, std::uint64_t end,
                   Sink& sink) {
    const Place place = place_of(asked, payload);
    Head head{.begin = begin, .operation = std::string(name_of(asked)), .housekeeping = is_housekeeping(asked)};
    head.answers_in_order = false;
    head.expects_response = answer_to(asked) != 0 && !place.no_wait;
    head.correlation = Correlation{++last_};
    head.target = head.operation;
    name_place(place, head.attributes);
    Channel& of = channel(number, begin, sink);
    if (asked == methods::kChannelOpen) {
        give_up(of, begin, sink);
        of = {};
    } else if (asked == methods::kConfirmSelect) {
        of.next_tag = 1;
        of.confirms = true;
        of.seen = of.times = 0;
    }
    if (head.expects_response) {
        if (of.waiting) {  // its answer was lost
            reply(of.waiting->correlation, begin, begin, "lost", sink);
        }
        of.waiting = {head.correlation, answer_to(asked)};
    }
    sink.head(head);
    sink.end({.correlation = head.correlation, .end = end});
}

void Channels::publish(std::uint16_t number, std::string_view payload, std::uint64_t begin, Sink& sink) {
    Channel& of = channel(number, begin, sink);
    cut(of.from_client, begin, sink);
    Head head{.correlation = Correlation{++last_}, .begin = begin, .operation = "publish", .target = "publish"};
    head.answers_in_order = false;
    head.expects_response = of.confirms;
    name_place(place_of(methods::kBasicPublish, payload), head.attributes);
    of.seen += of.next_tag == 0 ? 1 : 0;
    if (of.next_tag != 0) {
        if (of.unconfirmed.size() >= kMostUnconfirmed) {
            reply(of.unconfirmed.begin()->second, begin, begin, "lost", sink);
            of.unconfirmed.erase(of.unconfirmed.begin());
        }
        of.unconfirmed.emplace(of.next_tag++, head.correlation);
    }
    of.from_client = {.correlation = head.correlation, .told = true, .confirmed_unseen = of.confirms && of.next_tag == 0};
    sink.head(head);
}

void Channels::answer(Method said, std::uint16_t number, std::string_view payload, std::uint64_t begin, std::uint64_t end,
                      Sink& sink) {
    Channel& of = channel(number, begin, sink);
    cut(of.from_server, begin, sink);
    switch (said) {
        case methods::kBasicAck:
        case methods::kBasicNack:
            confirm(of, payload, said == methods::kBasicNack, begin, end, sink);
            return;
        case methods::kBasicDeliver:
            deliver(payload, begin, end, sink);
            of.from_server = {.direction = Direction::response};
            return;
        case methods::kBasicReturn:
            of.from_server = {.direction = Direction::response};
            return;
        case methods::kChannelClose:
        case methods::kConnectionClose:
            closed(number, payload, begin, end, sink);
            return;
        default:
            break;
    }
    const bool nothing = said == methods::kBasicGetEmpty;
    if (!of.waiting || of.waiting->answer != (nothing ? methods::kBasicGetOk : said)) {
        if (said == methods::kBasicGetOk) {
            of.from_server = {.direction = Direction::response};
        }
        return;
    }
    const Correlation to = of.waiting->correlation;
    of.waiting.reset();
    if (said == methods::kBasicGetOk) {  // the message follows
        of.from_server = {.correlation = to, .direction = Direction::response, .told = true};
        sink.head({.direction = Direction::response, .correlation = to, .begin = begin, .answers_in_order = false});
        return;
    }
    reply(to, begin, end, {}, sink);
}

void Channels::confirm(Channel& of, std::string_view payload, bool refused, std::uint64_t begin, std::uint64_t end, Sink& sink) {
    const Confirmation confirmation = confirmation_of(payload);
    if (!confirmation.known) {  // which ones it confirmed will never be told
        const std::optional<Content> uploading = std::exchange(of.from_client, std::nullopt);
        give_up(of, end, sink);
        of.from_client = uploading;
        return;
    }
    if (of.next_tag == 0) {
        learn(of, confirmation);
        return;
    }
    // Tag 0, multiple: all of them.
    const auto from = confirmation.multiple ? of.unconfirmed.begin() : of.unconfirmed.lower_bound(confirmation.tag);
    const auto to =
        confirmation.multiple && confirmation.tag == 0 ? of.unconfirmed.end() : of.unconfirmed.upper_bound(confirmation.tag);
    for (auto at = from; at != to; ++at) {
        reply(at->second, begin, end, refused ? "nack" : "", sink);
    }
    of.unconfirmed.erase(from, to);
}

/// Servers confirm only where they were asked to: before the attach, then, or in what was lost.
void Channels::learn(Channel& of, const Confirmation& confirmation) {
    constexpr unsigned kSure = 3;
    of.confirms = true;
    if (confirmation.tag == 0) {
        return;
    }
    const auto ahead = static_cast<std::int64_t>(confirmation.tag - of.seen);
    if (of.times == 0 || ahead > of.ahead) {
        of.ahead = ahead;
        of.times = 0;
    }
    of.times += ahead == of.ahead ? 1 : 0;
    if (of.times == kSure) {
        of.next_tag = static_cast<std::uint64_t>(of.ahead) + of.seen + 1;
        of.seen = of.times = 0;
    }
}

/// The server closes a channel, or all: what waits there is answered by that.
void Channels::closed(std::uint16_t number, std::string_view payload, std::uint64_t begin, std::uint64_t end, Sink& sink) {
    Reader reader(payload);
    (void)reader.take(4);
    const std::uint64_t code = reader.big<2>();
    const std::string error = reader.ok() ? std::to_string(code) : "unknown";
    for (auto& [of, channel] : channels_) {
        if ((of == number || number == 0) && channel.waiting) {
            reply(channel.waiting->correlation, begin, end, error, sink);
            channel.waiting.reset();
        }
    }
}

/// A message for a consumer answers nothing.
void Channels::deliver(std::string_view payload, std::uint64_t begin, std::uint64_t end, Sink& sink) const {
    Head head{.direction = Direction::response, .begin = begin, .operation = "deliver", .target = "deliver"};
    name_place(place_of(methods::kBasicDeliver, payload), head.attributes);
    sink.head(head);
    sink.end({.direction = Direction::response, .end = end});
}

void Channels::reply(Correlation to, std::uint64_t begin, std::uint64_t end, std::string_view error, Sink& sink) {
    const bool lost = error == "lost";
    if (!lost) {
        sink.head({.direction = Direction::response, .correlation = to, .begin = begin, .answers_in_order = false});
    }
    sink.end({.direction = Direction::response,
              .correlation = to,
              .end = end,
              .error = std::string(error),
              .complete = !lost && error != "unknown"});
}

void Channels::content(Direction direction, std::uint16_t number, std::optional<std::uint64_t> size, std::uint64_t bytes,
                       std::uint64_t end, Sink& sink) {
    const auto found = channels_.find(number);
    if (found == channels_.end()) {
        return;
    }
    std::optional<Content>& content = direction == Direction::request ? found->second.from_client : found->second.from_server;
    if (!content) {
        return;
    }
    if (size) {
        content->sized = true;
        content->size = content->left = *size;
    } else {
        content->left -= std::min(content->left, bytes);
    }
    if (!content->sized || content->left > 0) {
        return;
    }
    if (content->told) {
        sink.end({.direction = direction, .correlation = content->correlation, .end = end, .body_bytes = content->size});
    }
    if (content->confirmed_unseen) {
        reply(content->correlation, end, end, "lost", sink);
    }
    content.reset();
}

std::uint64_t Channels::left(Direction direction, std::uint16_t number) const {
    const auto found = channels_.find(number);
    if (found == channels_.end()) {
        return 0;
    }
    const std::optional<Content>& content =
        direction == Direction::request ? found->second.from_client : found->second.from_server;
    return content && content->sized ? content->left : 0;
}

void Channels::cut(std::optional<Content>& content, std::uint64_t position, Sink& sink) {
    if (content && content->told) {
        sink.end({.direction = content->direction, .correlation = content->correlation, .end = position, .complete = false});
    }
    if (content && content->confirmed_unseen) {
        reply(content->correlation, position, position, "lost", sink);
    }
    content.reset();
}

void Channels::give_up(Channel& of, std::uint64_t position, Sink& sink) {
    cut(of.from_client, position, sink);
    cut(of.from_server, position, sink);
    if (of.waiting) {
        reply(of.waiting->correlation, position, position, "lost", sink);
        of.waiting.reset();
    }
    for (const auto& [tag, correlation] : of.unconfirmed) {
        reply(correlation, position, position, "lost", sink);
    }
    of.unconfirmed.clear();
}

void Channels::lose(Direction direction, std::uint64_t position, Sink& sink) {
    for (auto& [number, of] : channels_) {
        if (direction == Direction::request) {
            cut(of.from_client, position, sink);
            of.next_tag = of.seen = of.times = 0;  // how many were published is not known any more
        } else {
            const std::optional<Content> uploading = std::exchange(of.from_client, std::nullopt);
            give_up(of, position, sink);
            of.from_client = uploading;
        }
    }
}

void Channels::finish(Direction direction, std::uint64_t position, Sink& sink) {
    for (auto& [number, of] : channels_) {
        cut(direction == Direction::request ? of.from_client : of.from_server, position, sink);
    }
}

}  // namespace timesink::proto::amqp
