//! What Redis does for the nodes in one step each: an announcement, and the renewal of a lease.
//!
//! All keys of a deployment share a hash slot. `state` holds `epoch` (drawn anew whenever Redis has lost its memory, or is
//! another process than before, whose copy may lag), `born` (when that was), `run` (which process: empty if `INFO` is
//! refused) and `seq` (how many announcements there were). `leases` orders nodes by when their lease
//! ends. `feed` and `acknowledgements` are streams. Times are those of Redis, in milliseconds.

use redis::Script;

use crate::failpoint::{self, Guard};

/// Takes a number, appends to the feed, and says whose acknowledgement must be waited for.
///
/// Keys: state, leases, feed. Arguments: the epoch and number known to the caller, a draft epoch, the caller's name, the
/// lease in ms, the sessions, the marks if there are any. Answers epoch, number, how long leases of an earlier epoch may still live, then the nodes
/// with a live lease.
const ANNOUNCE: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
local epoch = redis.call('HGET', KEYS[1], 'epoch')
local seq = tonumber(redis.call('HGET', KEYS[1], 'seq') or '0')
local known = redis.call('HGET', KEYS[1], 'run') or ''
local is_other = run ~= '' and known ~= '' and run ~= known
if not epoch or is_other or (ARGV[1] == epoch and tonumber(ARGV[2]) > seq) then
  epoch = ARGV[3]
  redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'born', string.format('%.0f', now), 'run', run)
  seq = 0
elseif known == '' and run ~= '' then
  redis.call('HSET', KEYS[1], 'run', run)
end
seq = seq + 1
local entry = { 't', string.format('%.0f', now), 'e', epoch, 'p', ARGV[6] }
if ARGV[7] ~= '' then entry[7] = 'm'; entry[8] = ARGV[7] end
redis.call('XADD', KEYS[3], 'MAXLEN', '~', '100000', string.format('%.0f-0', seq), unpack(entry))
redis.call('HSET', KEYS[1], 'seq', string.format('%.0f', seq))
local born = tonumber(redis.call('HGET', KEYS[1], 'born'))
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now))
local answer = { epoch, string.format('%.0f', seq), string.format('%.0f', math.max(0, born + tonumber(ARGV[5]) - now)) }
for _, node in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  if node ~= ARGV[4] then answer[#answer + 1] = node end
end
return answer";

/// Renews a lease. It ends a lease's time after the moment up to which the node has applied every announcement: now, or
/// when the first one that it has not was made, so that no node outlasts the time for which that announcement's sender
/// waits. A node without a lease, for whom nobody waits, gets one only when it has applied all. If the feed does not hold the
/// next one any more, the node must begin anew.
///
/// Keys: state, leases, feed. Arguments: the node's epoch and number, a draft epoch, its name, the lease in ms. Answers
/// `granted`, `behind` or `epoch`, then epoch, number, for how long it is granted, and which process Redis is.
const RENEW: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
local epoch = redis.call('HGET', KEYS[1], 'epoch')
local seq = tonumber(redis.call('HGET', KEYS[1], 'seq') or '0')
local known = redis.call('HGET', KEYS[1], 'run') or ''
local is_other = run ~= '' and known ~= '' and run ~= known
local applied = tonumber(ARGV[2])
if not epoch or is_other or (ARGV[1] == epoch and applied > seq) then
  epoch = ARGV[3]
  redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'born', string.format('%.0f', now), 'seq', '0', 'run', run)
  seq = 0
elseif known == '' and run ~= '' then
  redis.call('HSET', KEYS[1], 'run', run)
end
if epoch ~= ARGV[1] then return { 'epoch', epoch, string.format('%.0f', seq), '0', run } end
local complete = now
if applied < seq then
  local ends = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[4]) or '0')
  local next_id = string.format('%.0f-0', applied + 1)
  local entry = redis.call('XRANGE', KEYS[3], next_id, next_id)[1]
  if not entry then return { 'epoch', epoch, string.format('%.0f', seq), '0', run } end
  if ends <= now then return { 'behind', epoch, string.format('%.0f', seq), '0', run } end
  complete = tonumber(entry[2][2])
end
local left = complete + tonumber(ARGV[5]) - now
if left <= 0 then return { 'behind', epoch, string.format('%.0f', seq), '0', run } end
redis.call('ZADD', KEYS[2], string.format('%.0f', now + left), ARGV[4])
return { 'granted', epoch, string.format('%.0f', seq), string.format('%.0f', left), run }";

/// Takes the turn to read the ended sessions, or keeps it; 0 if another node has it.
///
/// Keys: turn. Arguments: the node's name, for how long in ms.
const TAKE_TURN: &str = r"
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1";

/// Gives it back.
///
/// Keys: turn. Arguments: the node's name.
const LEAVE_TURN: &str = r"
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0";

/// What a mutant changes: an epoch outlives the process of Redis that it began in.
const PROCESS: [(Guard, &str, &str); 1] = [(Guard::RedisProcess, "run ~= known", "false")];

/// The scripts and the names of the keys they work on.
pub(super) struct Scripts {
    pub(super) announce: Script,
    pub(super) renew: Script,
    pub(super) take_turn: Script,
    pub(super) leave_turn: Script,
    pub(super) keys: Keys,
}

/// The keys of a deployment.
pub(super) struct Keys {
    pub(super) state: String,
    pub(super) leases: String,
    pub(super) feed: String,
    pub(super) acknowledgements: String,
    /// Which node reads the ended sessions from the database: the others wait, a while.
    pub(super) turn: String,
}

impl Scripts {
    pub(super) fn new(deployment: &str) -> Self {
        let key = |what: &str| format!("bo:{{nodes-{deployment}}}:{what}");
        Self {
            announce: Script::new(failpoint::statement(ANNOUNCE, &PROCESS)),
            renew: Script::new(failpoint::statement(RENEW, &PROCESS)),
            take_turn: Script::new(TAKE_TURN),
            leave_turn: Script::new(LEAVE_TURN),
            keys: Keys {
                state: key("state"),
                leases: key("leases"),
                feed: key("feed"),
                acknowledgements: key("acknowledgements"),
                turn: key("turn"),
            },
        }
    }
}
