-- What pg_cron ran; the executor stays for 50 seconds, so its run may still be going on.

SELECT j.jobname, d.command, d.status, d.start_time::timestamptz(0)
FROM cron.job_run_details d JOIN cron.job j USING (jobid)
ORDER BY d.start_time;
