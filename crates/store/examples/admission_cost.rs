//! What one admission costs on a single node: nonce and two rates, with one task and with several.
//! `cargo run --release -p bo-auth-store --example admission_cost`

use std::time::{Duration, Instant};

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::time::Timestamp;
use bo_auth_store::admission::{Admission, AdmissionRequest, Admitted, Rate};

const CALLS: u64 = 400_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    for tasks in [1, 2, 8] {
        let admission = Admission::local();
        let begun = Instant::now();
        let running: Vec<_> = (0..tasks).map(|task| tokio::spawn(admit_many(admission.clone(), task))).collect();
        let mut accepted = 0;
        for task in running {
            accepted += task.await??;
        }
        let elapsed = begun.elapsed();
        let each = elapsed / u32::try_from(CALLS * tasks)?;
        report(&format!("{tasks} tasks: {accepted} accepted, one every {each:?}"));
    }
    Ok(())
}

async fn admit_many(admission: Admission, task: u64) -> Result<u64, bo_auth_store::Error> {
    let owner_id = OwnerId::parse("demo").map_err(|_| bo_auth_store::Error::Corrupt("name"))?;
    let addresses: Vec<String> = (0..1000).map(|number| format!("2001:db8::{task:x}:{number:x}")).collect();
    let mut accepted = 0;
    for (call, address) in (0..CALLS).zip(addresses.iter().cycle()) {
        let mut digest = [0; 16];
        digest[..8].copy_from_slice(&call.to_le_bytes());
        digest[8..].copy_from_slice(&task.to_le_bytes());
        let rates = [Rate::per_minute("address", address, 600_000, 100_000), Rate::per_minute("tenant", "", 60_000_000, 60_000_000)];
        let request = AdmissionRequest { nonce: Some((digest, Duration::from_mins(10))), rates: &rates };
        let now = Timestamp(1_700_000_000_000 + i64::try_from(call / 1000).unwrap_or(0));
        accepted += u64::from(admission.admit(&owner_id, &request, now).await? == Admitted::Accepted);
    }
    Ok(accepted)
}

#[expect(clippy::print_stdout, reason = "the measurement is what this program is for")]
fn report(line: &str) {
    println!("{line}");
}
