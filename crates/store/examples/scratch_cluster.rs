use std::time::{Duration, Instant};
#[tokio::main]
async fn main() {
    let url = std::env::var("REDIS_URL").unwrap();
    let c = bo_auth_store::RedisConnection::open(&url).unwrap();
    let start = Instant::now();
    let mut last = String::new();
    while start.elapsed() < Duration::from_secs(24) {
        let t = Instant::now();
        let mut k = c.clone();
        let mut r = String::new();
        for key in ["{a}x", "{b}x", "{c}x", "{d}x"] {
            let o: Result<Option<String>, redis::RedisError> = redis::cmd("GET").arg(key).query_async(&mut k).await;
            r += &match o {
                Ok(_) => "ok ".to_owned(),
                Err(e) => format!("{e} | "),
            };
        }
        if r != last {
            println!("{:?} took {:?}: {r}", start.elapsed(), t.elapsed());
            last = r;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
