"""Groups of runs compared: settings that differ, metrics, paired tests over seeds and rows. Reads run folders only."""
