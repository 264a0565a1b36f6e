#include "event/losses.hpp"

#include <algorithm>

namespace timesink::event {

Losses::Cpu& Losses::cpu(std::uint16_t number) {
    if (number >= cpus_.size()) {
        cpus_.resize(std::size_t{number} + 1);
    }
    return cpus_[number];
}

void Losses::saw(const ts_event_head& head) {
    if (head.cpu == TS_CPU_USERSPACE) {
        return;
    }
    Cpu& at = cpu(head.cpu);
    const Instant time = instant_from_ns(head.time);
    if (!at.seen) {
        at.seen = true;
        at.next = head.sequence;
        at.last = time;
    }
    const auto ahead = static_cast<std::int32_t>(head.sequence - at.next);  // wraps every 2^32 records
    if (ahead < 0) {
        fill(at, head.sequence);
    } else {
        if (ahead > 0) {
            if (at.holes.empty()) {
                with_holes_.push_back(head.cpu);
            }
            at.holes.push_back({at.next, head.sequence, std::min(at.last, time), std::max(at.last, time)});
        }
        at.next = head.sequence + 1;
    }
    at.last = std::max(at.last, time);
}

void Losses::fill(Cpu& cpu, std::uint32_t sequence) {
    const std::size_t searched = std::min(cpu.holes.size(), kHolesSearched);
    for (auto hole = cpu.holes.end() - static_cast<std::ptrdiff_t>(searched); hole != cpu.holes.end(); ++hole) {
        if (sequence - hole->begin >= hole->end - hole->begin) {
            continue;
        }
        const Hole behind{sequence + 1, hole->end, hole->first, hole->last};
        hole->end = sequence;
        if (behind.begin != behind.end) {
            hole = cpu.holes.insert(hole + 1, behind) - 1;
        }
        if (hole->begin == hole->end) {
            cpu.holes.erase(hole);
        }
        return;
    }
}

void Losses::told(std::uint16_t number, std::uint64_t count) {
    Cpu& at = cpu(number);
    at.credit += count;
    at.accounted += count;
}

void Losses::total(std::uint64_t number, std::uint64_t count) {
    if (number < TS_CPU_USERSPACE) {
        cpu(static_cast<std::uint16_t>(number)).total = count;
    }
}

std::vector<Losses::Gap> Losses::settle(Instant horizon) {
    std::vector<Gap> gaps;
    std::sort(with_holes_.begin(), with_holes_.end());
    std::erase_if(with_holes_, [&](std::uint16_t number) {
        Cpu& at = cpus_[number];
        std::erase_if(at.holes, [&](const Hole& hole) {
            if (hole.last >= horizon) {
                return false;
            }
            const std::uint64_t missing = hole.end - hole.begin;
            const std::uint64_t covered = std::min(missing, at.credit);
            at.credit -= covered;
            if (covered < missing) {
                at.accounted += missing - covered;
                gaps.push_back({Loss{hole.first, hole.last, missing - covered, number}, hole.begin});
            }
            return true;
        });
        if (!at.holes.empty()) {
            return false;
        }
        at.credit = 0;  // a TS_EVENT_LOSS follows its own gap: what is left over must not hide a later one
        return true;
    });
    return gaps;
}

std::vector<Loss> Losses::remainder(Instant end) const {
    std::vector<Loss> losses;
    for (std::size_t number = 0; number < cpus_.size(); ++number) {
        const Cpu& at = cpus_[number];
        if (at.total > at.accounted) {
            const Instant first = at.seen ? std::min(at.last, end) : Instant{};
            losses.push_back(Loss{first, end, at.total - at.accounted, static_cast<std::uint16_t>(number)});
        }
    }
    return losses;
}

}  // namespace timesink::event
