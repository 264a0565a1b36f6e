#include "proto/mongodb/message.hpp"

#include <algorithm>
#include <array>

#include "proto/mongodb/bson.hpp"

namespace timesink::proto::mongodb {
namespace {

constexpr std::uint32_t kMoreToCome = 2;
constexpr std::uint32_t kKnownFlags = 1U | kMoreToCome | 1U << 16;

constexpr std::array<std::string_view, 11> kHousekeeping = {"hello",        "isMaster", "ismaster",    "saslStart",
                                                            "saslContinue", "ping",     "endSessions", "getnonce",
                                                            "authenticate", "logout",   "buildInfo"};
void append_shape(const Document::Element& element, std::string& shape) {
    if ((element.type == kDocument || element.type == kArray) && is_telling(element.name)) {
        shape.append(" ").append(element.name).append(": ");
        append_names(element.value, element.type == kArray, 0, shape);
    }
}

/// Of an update's or delete's statements the first tells.
void append_first(std::string_view documents, std::string& shape) {
    Document document(documents);
    while (const auto element = document.next()) {
        append_shape(*element, shape);
    }
}

void read_command(std::string_view bytes, Command& command) {
    Document document(bytes);
    auto element = document.next();
    if (!element || !is_printable(element->name)) {
        return;
    }
    command.name = element->name.substr(0, 64);
    if (element->type == kString && is_printable(text_of(element->value))) {
        command.collection = text_of(element->value).substr(0, 128);
    }
    command.shape = command.name + (command.collection.empty() ? "" : " " + command.collection);
    while ((element = document.next())) {
        if (element->name == "$db" && element->type == kString) {
            command.database = text_of(element->value).substr(0, 64);
        }
        if (element->name == "collection" && element->type == kString && command.collection.empty()) {  // of getMore
            command.collection = text_of(element->value).substr(0, 128);
            command.shape += " " + command.collection;
        }
        if (is_statements(element->name) && element->type == kArray) {
            const auto first = Document(element->value).next();
            append_first(first ? first->value : std::string_view{}, command.shape);
        }
        append_shape(*element, command.shape);
    }
    command.housekeeping = std::find(kHousekeeping.begin(), kHousekeeping.end(), command.name) != kHousekeeping.end();
}

/// A section of documents beside the command.
void read_sequence(std::string_view section, Command& command) {
    Reader reader(section);
    (void)reader.little<4>();
    if (is_statements(reader.text())) {
        append_first(reader.rest(), command.shape);
    }
}

/// The document of kind 0. `command`: reads it and the sequences beside it into this.
std::string_view body_of(std::string_view sections, Command* command) {
    std::string_view body;
    Reader reader(sections);
    while (!reader.rest().empty()) {
        const std::uint8_t kind = reader.byte();
        const std::string_view rest = reader.rest();
        const std::string_view section = reader.take_some(Reader(rest).little<4>());
        if (kind > 1 || section.size() < 4) {
            break;
        }
        if (kind == 0) {
            body = section;
            if (command != nullptr) {
                read_command(body, *command);
            }
        } else if (command != nullptr && !command->name.empty()) {
            read_sequence(section, *command);
        }
    }
    return body;
}

}  // namespace

bool is_telling(std::string_view name) {
    constexpr std::array<std::string_view, 8> kTelling = {"filter", "query", "q", "u", "update", "sort", "pipeline", "key"};
    return std::find(kTelling.begin(), kTelling.end(), name) != kTelling.end();
}

bool is_statements(std::string_view name) {
    return name == "updates" || name == "deletes";
}

Header header_of(std::string_view bytes) {
    Reader reader(bytes);
    Header header;
    header.length = static_cast<std::uint32_t>(reader.little<4>());
    header.id = static_cast<std::uint32_t>(reader.little<4>());
    header.answers = static_cast<std::uint32_t>(reader.little<4>());
    header.operation = static_cast<Operation>(reader.little<4>());
    return header;
}

bool is_likely(const Header& header, bool request) {
    const bool operation = header.operation == Operation::message || header.operation == Operation::compressed ||
                           header.operation == (request ? Operation::query : Operation::reply);
    return operation && header.length >= kHeaderBytes + 9 && header.length <= kLongestMessage && (header.answers == 0) == request;
}

bool fits(const Header& header, std::string_view payload) {
    Reader reader(payload);
    const std::uint64_t flags = reader.little<4>();
    if (header.operation == Operation::message && payload.size() >= 5) {
        return (flags & ~std::uint64_t{kKnownFlags}) == 0 && static_cast<unsigned char>(payload[4]) <= 1;
    }
    if (header.operation == Operation::query && payload.size() >= 8) {
        const std::string_view rest = reader.rest();
        const std::string_view name = rest.substr(0, rest.find('\0'));
        const bool whole = name.size() < rest.size();
        return is_printable(name) && name.size() < 256 && (!whole || name.find('.') != std::string_view::npos);
    }
    return true;
}

Command command_of(const Header& header, std::string_view payload) {
    Command command;
    Reader reader(payload);
    const std::uint64_t flags = reader.little<4>();
    if (header.operation == Operation::message) {
        command.answered = (flags & kMoreToCome) == 0;
        (void)body_of(reader.rest(), &command);
    } else if (header.operation == Operation::query) {
        const std::string_view collection = reader.text();
        (void)reader.take(8);
        read_command(reader.rest(), command);
        command.database = collection.substr(0, std::min<std::size_t>(collection.find('.'), 64));
    }
    return command;
}

Reply reply_of(const Header& header, std::string_view payload, bool whole) {
    Reply reply;
    if (header.operation == Operation::compressed) {
        reply.known = true;  // not looked into
        return reply;
    }
    std::string_view body = payload.substr(std::min<std::size_t>(payload.size(), header.operation == Operation::reply ? 20 : 4));
    body = header.operation == Operation::reply ? body : body_of(body, nullptr);
    bool failed = false;
    std::string number;
    Document document(body);
    while (const auto element = document.next()) {
        if (element->name == "cursor") {
            reply.known = true;  // only successes have one
        } else if (element->name == "ok") {
            reply.known = true;
            failed = number_of(*element) == 0;
        } else if (element->name == "code") {
            number = std::to_string(static_cast<std::int64_t>(std::clamp(number_of(*element), -1e9, 1e9)));
        } else if (element->name == "n") {
            reply.rows = static_cast<std::uint64_t>(std::clamp(number_of(*element), 0.0, 1e15));
        } else if (element->name == "writeErrors" && element->type == kArray) {
            Document errors(element->value);
            const auto first = errors.next();
            Document error(first ? first->value : std::string_view{});
            reply.error = "unknown";
            while (const auto part = error.next()) {
                if (part->name == "code") {
                    reply.error = std::to_string(static_cast<std::int64_t>(std::clamp(number_of(*part), -1e9, 1e9)));
                }
            }
        }
    }
    if (failed) {
        reply.error = number.empty() ? "unknown" : number;
    }
    reply.known = (reply.known && (whole || document.ended() || reply.error.empty())) || (whole && body.empty());
    return reply;
}

}  // namespace timesink::proto::mongodb
